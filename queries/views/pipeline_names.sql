-- id: pipeline_names
-- title: Names of pipelines, of today and as runs carry them
-- grain: one row per pipeline under its name of today (is_current), and one per name that its runs carry; empty text where a run carries none
-- reads: pipelines, pipeline_runs

-- is_listed: the list of pipelines has or had it; is_deleted: no longer.
with
-- one row per pipeline and name that one of its runs carries
run_names as (
    select
        organization, project_id, pipeline_id,
        coalesce(pipeline_name, '') as run_name, coalesce(pipeline_folder, '') as run_folder
    from pipeline_runs
    where lower(repository_type) = 'tfsgit'
    group by organization, project_id, pipeline_id, coalesce(pipeline_name, ''), coalesce(pipeline_folder, '')
)
select
    run_names.organization, run_names.project_id, run_names.pipeline_id, false as is_current,
    pipelines.pipeline_id is not null as is_listed, pipelines.deleted_at is not null as is_deleted,
    run_names.run_name, run_names.run_folder,
    coalesce(nullif(run_names.run_name, ''), pipelines.name) as name,
    coalesce(nullif(run_names.run_folder, ''), pipelines.folder) as folder
from run_names
left join pipelines
    on pipelines.organization = run_names.organization
    and pipelines.project_id = run_names.project_id
    and pipelines.pipeline_id = run_names.pipeline_id
union all
select
    organization, project_id, pipeline_id, true as is_current,
    true as is_listed, deleted_at is not null as is_deleted,
    name as run_name, folder as run_folder, name, folder
from pipelines
