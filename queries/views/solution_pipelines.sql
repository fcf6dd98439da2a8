-- id: solution_pipelines
-- title: Pipelines that each solution fits
-- grain: one row per repository, kind, solution that may name a pipeline, and pipeline under one name; is_current: the name of today, else one that runs carry
-- reads: solutions_in_force, settings_in_force, pipeline_names

with
-- inputs
solutions as (
    select
        solutions_in_force.organization, settings_in_force.project_id, solutions_in_force.repository_id, solutions_in_force.kind,
        solutions_in_force.solution_index, solutions_in_force.selector, solutions_in_force.pattern,
        settings_in_force.accept_partially_succeeded
    from solutions_in_force
    join settings_in_force
        on settings_in_force.organization = solutions_in_force.organization
        and settings_in_force.repository_id = solutions_in_force.repository_id
    where solutions_in_force.selector <> 'status' and settings_in_force.in_scope
),
-- one row per project and pattern: patterns are matched once, not once per repository
patterns as (
    select organization, project_id, selector, pattern
    from solutions
    group by organization, project_id, selector, pattern
),
-- one row per pattern and part of it that may name pipelines; a job's is what stands before the stage and the job, and the task
pipeline_patterns as (
    select organization, project_id, selector, pattern, pattern as pipeline_pattern from patterns where selector <> 'job'
    union all
    select organization, project_id, selector, pattern, regexp_replace(pattern, '/[^/]*/[^/]*$', '') as pipeline_pattern
    from patterns where selector = 'job'
    union all
    select organization, project_id, selector, pattern, regexp_replace(pattern, '/[^/]*/[^/]*/[^/]*$', '') as pipeline_pattern
    from patterns where selector = 'job'
    union all
    select organization, project_id, selector, pattern, regexp_replace(pattern, '/[^/]*$', '') as pipeline_pattern
    from patterns where selector = 'job' and strpos(pattern, '**') > 0
),
-- one row per pipeline and name, as patterns write them: lower case, slashes, no leading slash
normalized_pipelines as (
    select
        *, lower(name) as pattern_name,
        trim(both '/' from concat(replace(lower(coalesce(folder, '')), '\', '/'), '/', lower(name))) as pattern_path
    from pipeline_names
),
-- one row per project, pattern and pipeline under one name
matches as (
    select
        patterns.organization, patterns.project_id, patterns.selector, patterns.pattern,
        named.is_current, named.is_listed, named.pipeline_id,
        named.run_name, named.run_folder, named.name, named.pattern_name, named.pattern_path
    from pipeline_patterns as patterns
    join normalized_pipelines as named
        on named.organization = patterns.organization
        and named.project_id = patterns.project_id
        and (
            glob_match(patterns.pipeline_pattern, named.pattern_name)
            or glob_match(patterns.pipeline_pattern, named.pattern_path)
            or patterns.pipeline_pattern = cast(named.pipeline_id as varchar)
        )
    group by
        patterns.organization, patterns.project_id, patterns.selector, patterns.pattern,
        named.is_current, named.is_listed, named.pipeline_id, named.run_name, named.run_folder, named.name, named.pattern_name, named.pattern_path
)
select
    solutions.organization, solutions.project_id, solutions.repository_id, solutions.kind, solutions.solution_index,
    solutions.selector, solutions.pattern, solutions.accept_partially_succeeded,
    matches.is_current, matches.is_listed, matches.pipeline_id,
    matches.run_name, matches.run_folder, matches.name, matches.pattern_name, matches.pattern_path
from solutions
join matches
    on matches.organization = solutions.organization
    and matches.project_id = solutions.project_id
    and matches.selector = solutions.selector
    and matches.pattern = solutions.pattern
