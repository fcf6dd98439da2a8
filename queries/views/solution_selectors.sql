-- id: solution_selectors
-- title: Configured solutions as selectors
-- grain: one row per repository in scope, kind and solution
-- reads: solutions_in_force, settings_in_force, pipeline_names

with
-- one row per project and name that pipelines of today, or of the runs where none are listed, carry in two folders
shared_names as (
    select organization, project_id, lower(name) as name
    from pipeline_names
    where (is_current and not is_deleted) or not is_listed
    group by organization, project_id, lower(name)
    having count(distinct lower(folder)) > 1
)
select
    solutions.organization,
    settings.project_id,
    solutions.repository_id,
    solutions.kind,
    solutions.solution_index,
    cast(solutions.solution as varchar) as solution,
    cast(solutions.selector as varchar) as selector,
    solutions.pattern,
    solutions.paths_json,
    cast(settings.require as varchar) as require,
    -- a plain name fits pipelines in two folders
    shared_names.name is not null as is_ambiguous
from solutions_in_force as solutions
join settings_in_force as settings
    on settings.organization = solutions.organization
    and settings.repository_id = solutions.repository_id
left join shared_names
    on shared_names.organization = solutions.organization
    and shared_names.project_id = settings.project_id
    and shared_names.name = solutions.pattern
    and solutions.selector in ('any', 'pipeline')
    and not solutions.is_glob
where settings.in_scope
