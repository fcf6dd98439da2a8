-- id: solution_runs
-- title: Runs that may prove a solution
-- grain: one row per solution that may name a pipeline, merged pull request and run that belongs to it and fits
-- reads: pull_request_runs, solution_pipelines

-- Texts are cast because aggregates of views of texts are slow.
-- counted_at: last finish at or before the merge, else the approval of its evaluation; counted_result likewise.
select
    pipelines.kind, pipelines.solution_index, pipelines.selector, pipelines.accept_partially_succeeded,
    runs.organization, runs.repository_id, runs.pull_request_id, runs.merged_at,
    runs.run_id, runs.pipeline_id, pipelines.run_name, pipelines.run_folder, cast(pipelines.name as varchar) as name,
    runs.link, runs.code,
    coalesce(runs.finished_at, runs.approved_at) as counted_at,
    cast(case when runs.finished_at is null and runs.approved_at is not null then 'approved' else runs.result end as varchar) as counted_result,
    runs.finished_at, runs.last_finished_at, runs.is_rerun_after_merge,
    runs.jobs_read_at, runs.jobs_gone_at, cast(runs.url as varchar) as url
from solution_pipelines as pipelines
join pull_request_runs as runs
    on runs.organization = pipelines.organization
    and runs.project_id = pipelines.project_id
    and runs.repository_id = pipelines.repository_id
    and runs.pipeline_id = pipelines.pipeline_id
    and runs.run_name = pipelines.run_name
    and runs.run_folder = pipelines.run_folder
where not pipelines.is_current
