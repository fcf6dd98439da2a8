-- id: solution_jobs
-- title: Jobs that each solution fits
-- grain: one row per repository, kind, job solution, pipeline under a name that runs carry, and path of a stage, job or task in it
-- reads: solution_pipelines, pipeline_runs, pipeline_run_jobs

with
-- one row per pipeline under one name and path
job_paths as (
    select
        runs.organization, runs.project_id, runs.pipeline_id,
        coalesce(runs.pipeline_name, '') as run_name, coalesce(runs.pipeline_folder, '') as run_folder, jobs.path
    from pipeline_run_jobs as jobs
    join pipeline_runs as runs
        on runs.organization = jobs.organization
        and runs.run_id = jobs.run_id
    group by
        runs.organization, runs.project_id, runs.pipeline_id,
        coalesce(runs.pipeline_name, ''), coalesce(runs.pipeline_folder, ''), jobs.path
)
select
    pipelines.organization, pipelines.repository_id, pipelines.kind, pipelines.solution_index,
    pipelines.pipeline_id, pipelines.run_name, pipelines.run_folder, job_paths.path
from solution_pipelines as pipelines
join job_paths
    on job_paths.organization = pipelines.organization
    and job_paths.project_id = pipelines.project_id
    and job_paths.pipeline_id = pipelines.pipeline_id
    and job_paths.run_name = pipelines.run_name
    and job_paths.run_folder = pipelines.run_folder
    and (
        glob_match(pipelines.pattern, concat(pipelines.pattern_name, '/', lower(job_paths.path)))
        or glob_match(pipelines.pattern, concat(pipelines.pattern_path, '/', lower(job_paths.path)))
        or glob_match(pipelines.pattern, concat(cast(pipelines.pipeline_id as varchar), '/', lower(job_paths.path)))
    )
where pipelines.selector = 'job' and not pipelines.is_current
