-- id: pull_request_runs
-- title: Pipeline runs of merged pull requests
-- grain: one row per merged pull request and run that belongs to it
-- reads: merged_pull_requests, final_code, pipeline_runs, pull_request_policy_evaluations, run_finish_spans

-- link: pull_request (by number or evaluation, reason pullRequest), other_reason (so, another reason), branch (no number: same
-- repository, branch and final commit). code: final, older or unknown source commit. finished_at and result: of the last finish
-- at or before the merge. approved_at: only a later finish is known, but an evaluation of the run was approved before the merge.
with
-- inputs
runs as (select * from pipeline_runs where lower(repository_type) = 'tfsgit'),
-- one row per run whose evaluation tells more than the run itself
evaluated_runs as (
    select
        evaluations.organization, evaluations.build_id as run_id,
        max(evaluations.pull_request_id) as pull_request_id,
        max(evaluations.source_commit) as source_commit,
        min(evaluations.completed_at) filter (where evaluations.status = 'approved') as approved_at
    from runs
    join pull_request_policy_evaluations as evaluations
        on evaluations.organization = runs.organization
        and evaluations.build_id = runs.run_id
        and (
            runs.pull_request_id is null
            or (runs.pull_request_source_commit is distinct from evaluations.source_commit)
            or runs.finished_at > evaluations.completed_at
        )
    group by evaluations.organization, evaluations.build_id
),
-- one row per run, with the pull request that names it
identified_runs as (
    select
        runs.*,
        coalesce(runs.pull_request_id, evaluated_runs.pull_request_id) as known_id,
        evaluated_runs.source_commit as evaluated_commit,
        evaluated_runs.approved_at
    from evaluated_runs
    right join runs
        on runs.organization = evaluated_runs.organization
        and runs.run_id = evaluated_runs.run_id
),
-- one row per run without a number and pull request whose final commit it built on its branch
branch_runs as (
    select runs.organization, runs.run_id, merged.pull_request_id
    from runs
    join merged_pull_requests as merged
        on merged.organization = runs.organization
        and merged.project_id = runs.project_id
        and merged.source_commit = runs.source_version
        and merged.source_ref = runs.source_branch
        and coalesce(merged.fork_repository_id, merged.repository_id) = runs.repository_id
    where runs.pull_request_id is null
),
-- one row per run, and pull request that it was linked to
linked_runs as (
    select
        runs.*,
        runs.known_id is null as is_linked_by_branch,
        coalesce(runs.known_id, branch_runs.pull_request_id) as linked_id
    from branch_runs
    right join identified_runs as runs
        on runs.organization = branch_runs.organization
        and runs.run_id = branch_runs.run_id
        and runs.known_id is null
),
-- one row per merged pull request and run
placed_runs as (
    select
        final_code.repository_id as target_repository_id, final_code.merged_at,
        case
            when runs.is_linked_by_branch then 'branch'
            when runs.reason = 'pullRequest' then 'pull_request'
            else 'other_reason'
        end as link,
        case
            when runs.is_linked_by_branch
                or runs.pull_request_source_commit = final_code.source_commit
                or runs.pull_request_iteration >= final_code.last_push_iteration_id
                or runs.evaluated_commit = final_code.source_commit
                then 'final'
            when coalesce(runs.pull_request_source_commit, runs.evaluated_commit) <> final_code.source_commit
                or runs.pull_request_iteration < final_code.last_push_iteration_id
                then 'older'
            else 'unknown'
        end as code,
        runs.*
    from final_code
    join linked_runs as runs
        on runs.organization = final_code.organization
        and runs.linked_id = final_code.pull_request_id
        and runs.project_id = final_code.project_id
),
-- one row per pull request and run, with its last finish at or before the merge: of several, else the only one
finished_runs as (
    select
        placed_runs.*,
        case
            when spans.finished_at is not null then spans.finished_at
            when placed_runs.finished_at <= placed_runs.merged_at then placed_runs.finished_at
        end as counted_at,
        case
            when spans.finished_at is not null then spans.result
            when placed_runs.finished_at <= placed_runs.merged_at then placed_runs.result
        end as counted_result,
        spans.next_finished_at is not null as is_rerun_after_merge
    from run_finish_spans as spans
    right join placed_runs
        on placed_runs.organization = spans.organization
        and placed_runs.run_id = spans.run_id
        and placed_runs.merged_at >= spans.finished_at
        and (spans.next_finished_at is null or placed_runs.merged_at < spans.next_finished_at)
)
select
    organization, project_id, target_repository_id as repository_id, linked_id as pull_request_id, merged_at,
    run_id, pipeline_id, pipeline_name, pipeline_folder,
    coalesce(pipeline_name, '') as run_name, coalesce(pipeline_folder, '') as run_folder,
    link, code, reason, url,
    counted_at as finished_at,
    counted_result as result,
    case when counted_at is null and finished_at > merged_at and approved_at <= merged_at then approved_at end as approved_at,
    finished_at as last_finished_at,
    is_rerun_after_merge,
    -- of a deleted run Azure DevOps keeps no timeline
    jobs_read_at, coalesce(jobs_gone_at, deleted_at) as jobs_gone_at
from finished_runs
where link <> 'branch' or counted_at is not null
