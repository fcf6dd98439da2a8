-- id: solution_statuses
-- title: Statuses that each solution fits
-- grain: one row per repository, kind, solution that may name a status, and genre and name of a status or status policy; empty text = no genre
-- reads: solutions_in_force, settings_in_force, pull_request_statuses, pull_request_policy_evaluations

with
-- inputs
solutions as (
    select
        solutions_in_force.organization, solutions_in_force.repository_id, solutions_in_force.kind,
        solutions_in_force.solution_index, solutions_in_force.pattern
    from solutions_in_force
    join settings_in_force
        on settings_in_force.organization = solutions_in_force.organization
        and settings_in_force.repository_id = solutions_in_force.repository_id
    where solutions_in_force.selector in ('any', 'status') and settings_in_force.in_scope
),
-- one row per pattern: patterns are matched once, not once per repository
patterns as (select organization, pattern from solutions group by organization, pattern),
-- one row per genre and name that a status or a status policy carries
status_names as (
    select organization, coalesce(genre, '') as genre, name
    from pull_request_statuses
    group by organization, coalesce(genre, ''), name
    union
    select organization, coalesce(status_genre, '') as genre, status_name as name
    from pull_request_policy_evaluations
    where status_name is not null and status = 'notApplicable'
    group by organization, coalesce(status_genre, ''), status_name
),
-- one row per genre and name, as patterns write them: lower case, slashes
normalized_statuses as (
    select
        *, replace(lower(name), '\', '/') as pattern_name,
        replace(lower(concat(genre, '/', name)), '\', '/') as pattern_path
    from status_names
),
-- one row per pattern, genre and name
matches as (
    select patterns.organization, patterns.pattern, named.genre, named.name
    from patterns
    join normalized_statuses as named
        on named.organization = patterns.organization
        and (
            glob_match(patterns.pattern, named.pattern_path)
            or (named.genre = '' and glob_match(patterns.pattern, named.pattern_name))
        )
)
select
    solutions.organization, solutions.repository_id, solutions.kind, solutions.solution_index,
    matches.genre, matches.name
from solutions
join matches
    on matches.organization = solutions.organization
    and matches.pattern = solutions.pattern
