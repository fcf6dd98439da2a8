-- one row per repository in scope, kind and solution, with how many pipelines, statuses and jobs it fits
with
pipelines_fit as (
    select
        organization, repository_id, kind, solution_index,
        count(distinct case when is_current then pipeline_id end) as current_count,
        max(case when not is_current then name end) as older_name
    from solution_pipelines
    group by organization, repository_id, kind, solution_index
),
statuses_fit as (
    select organization, repository_id, kind, solution_index, count(*) as status_count
    from solution_statuses
    group by organization, repository_id, kind, solution_index
),
jobs_fit as (
    select organization, repository_id, kind, solution_index, count(*) as job_count
    from solution_jobs
    group by organization, repository_id, kind, solution_index
)
select
    settings.project_id, settings.project, settings.repository, selectors.kind, selectors.solution, selectors.selector,
    selectors.pattern, selectors.require, selectors.is_ambiguous,
    coalesce(pipelines_fit.current_count, 0) as pipeline_count, pipelines_fit.older_name,
    coalesce(statuses_fit.status_count, 0) as status_count, coalesce(jobs_fit.job_count, 0) as job_count
from settings_in_force as settings
left join solution_selectors as selectors
    on selectors.organization = settings.organization
    and selectors.repository_id = settings.repository_id
left join pipelines_fit
    on pipelines_fit.organization = selectors.organization
    and pipelines_fit.repository_id = selectors.repository_id
    and pipelines_fit.kind = selectors.kind
    and pipelines_fit.solution_index = selectors.solution_index
left join statuses_fit
    on statuses_fit.organization = selectors.organization
    and statuses_fit.repository_id = selectors.repository_id
    and statuses_fit.kind = selectors.kind
    and statuses_fit.solution_index = selectors.solution_index
left join jobs_fit
    on jobs_fit.organization = selectors.organization
    and jobs_fit.repository_id = selectors.repository_id
    and jobs_fit.kind = selectors.kind
    and jobs_fit.solution_index = selectors.solution_index
where settings.in_scope
order by settings.project, settings.repository, settings.repository_id, selectors.kind, selectors.solution_index
