-- id: final_code
-- title: The code that each pull request was merged with
-- grain: one row per merged pull request; iterations that were not read after the merge are unknown
-- reads: merged_pull_requests, pull_request_iterations

with
-- one row per pull request
iterations as (
    select
        organization, pull_request_id,
        max(iteration_id) as last_iteration_id,
        max(iteration_id) filter (where reason is distinct from 'retarget') as last_push_iteration_id,
        max(at) filter (where reason is distinct from 'retarget') as last_push_at
    from pull_request_iterations
    group by organization, pull_request_id
),
-- one row per merged pull request
merged as (
    select *, coalesce(iterations_read_at >= merged_at, false) as is_iterations_read
    from merged_pull_requests
)
select
    merged.organization, merged.project_id, merged.repository_id, merged.pull_request_id, merged.merged_at,
    merged.source_ref, merged.source_commit, merged.fork_repository_id,
    merged.is_iterations_read,
    coalesce(merged.statuses_read_at >= merged.merged_at, false) as is_statuses_read,
    coalesce(merged.evaluations_read_at >= merged.merged_at, false) as is_evaluations_read,
    coalesce(merged.changes_read_at >= merged.merged_at, false) as is_changes_read,
    case when merged.is_iterations_read then iterations.last_iteration_id end as last_iteration_id,
    case when merged.is_iterations_read then iterations.last_push_iteration_id end as last_push_iteration_id,
    case when merged.is_iterations_read then iterations.last_push_at end as last_push_at,
    -- never later than the last push
    coalesce(case when merged.is_iterations_read then iterations.last_push_at end, merged.created_at) as pushed_at
from iterations
right join merged
    on merged.organization = iterations.organization
    and merged.pull_request_id = iterations.pull_request_id
