-- one row per name that a solution could have: of a pipeline, a status, or a job of a run
select 'pipeline' as selector, project_id, name, trim(both '\' from concat(folder, '\', name)) as path
from pipelines where deleted_at is null
union
select 'status' as selector, '' as project_id, name, concat(coalesce(genre, ''), '/', name) as path
from pull_request_statuses
union
select 'job' as selector, runs.project_id, jobs.name, concat(coalesce(runs.pipeline_name, ''), '/', jobs.path) as path
from pipeline_run_jobs as jobs
join pipeline_runs as runs
    on runs.organization = jobs.organization
    and runs.run_id = jobs.run_id
