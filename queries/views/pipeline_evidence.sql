-- id: pipeline_evidence
-- title: What the runs of each pipeline prove
-- grain: one row per profile, merged pull request, solution that may be a pipeline, and pipeline with runs that belong to the pull request
-- reads: solution_runs

with
-- one row per profile
profiles as (select column1 as profile from (values ('standard'), ('strict'))),
-- one row per profile, solution, pull request and run; step: 3 final commit, 2 commit unknown, 1 older commit, 0 not accepted
selected_runs as (
    select
        profiles.profile, runs.*,
        case
            when profiles.profile = 'strict' and runs.link <> 'pull_request' then 0
            when runs.code = 'final' then 3
            when runs.code = 'unknown' then 2
            else 1
        end as step
    from profiles
    cross join solution_runs as runs
    where runs.selector <> 'job'
),
-- one row per profile, solution, pull request and pipeline
grouped_runs as (
    select
        organization, pull_request_id, merged_at, profile, kind, solution_index, pipeline_id,
        array_agg(named_struct(
            'step', step, 'counted_at', counted_at, 'run_id', run_id, 'name', name, 'link', link,
            'result', counted_result, 'is_rerun_after_merge', is_rerun_after_merge, 'url', url
        )) as runs,
        count(*) as run_count,
        count(*) filter (where step = 3 and counted_at is not null) as final_count,
        count(*) filter (where step = 2 and counted_at is not null) as unproven_count,
        bool_or(step = 3 and last_finished_at is null) as has_unfinished_final,
        bool_or(step = 2 and last_finished_at is null) as has_unfinished_unproven,
        bool_or(accept_partially_succeeded) as accept_partially_succeeded
    from selected_runs
    group by organization, pull_request_id, merged_at, profile, kind, solution_index, pipeline_id
),
-- the same, with the run that decides: best step, then last finish
chosen_runs as (
    select
        *,
        case when run_count > 1 then array_sort(runs)[cast(run_count as int)] else runs[1] end as chosen
    from grouped_runs
),
-- the same, unpacked
deciding_runs as (
    select
        organization, pull_request_id, merged_at, profile, kind, solution_index, accept_partially_succeeded,
        chosen['step'] as step,
        chosen['counted_at'] as counted_at,
        chosen['run_id'] as run_id,
        chosen['name'] as name,
        chosen['link'] as link,
        chosen['result'] as result,
        chosen['is_rerun_after_merge'] as is_rerun_after_merge,
        chosen['url'] as url,
        case chosen['step'] when 3 then has_unfinished_final else has_unfinished_unproven end as has_unfinished,
        case chosen['step'] when 3 then final_count when 2 then unproven_count else 0 end > 1 as is_rerun
    from chosen_runs
),
-- the same, with what it proves and how
proven_runs as (
    select
        *,
        case
            when step = 0 then 'NOT_RUN'
            when step = 1 then 'STALE_RUN'
            when counted_at is null and has_unfinished then 'RUN_NOT_FINISHED'
            when counted_at is null then 'RUN_AFTER_MERGE'
            when result = 'canceled' then 'RUN_CANCELED'
            when result = 'partiallySucceeded' and not accept_partially_succeeded then 'RUN_PARTIALLY_SUCCEEDED'
            when coalesce(result not in ('succeeded', 'partiallySucceeded', 'approved'), true) then 'RUN_FAILED'
            when step = 2 and profile = 'strict' then 'COMMIT_UNPROVEN'
            when result = 'approved' then 'EVALUATION_APPROVED'
            else 'RUN_SUCCEEDED'
        end as reason_code,
        concat_ws(
            ',',
            case when step = 2 and profile = 'standard' and counted_at is not null then 'COMMIT_UNPROVEN' end,
            case when step > 0 and link = 'branch' then 'LINKED_BY_BRANCH' end,
            case when link <> 'pull_request' then 'NON_PR_RUN' end,
            case when is_rerun then 'RERUN' end,
            case when step >= 2 and (is_rerun_after_merge or result = 'approved') then 'RERUN_AFTER_MERGE' end
        ) as flags
    from deciding_runs
)
select
    runs.organization, runs.pull_request_id, runs.merged_at, runs.profile, runs.kind, runs.solution_index,
    'pipeline' as leg,
    runs.reason_code,
    runs.flags,
    'run' as what, runs.name, runs.run_id as id, runs.result, runs.counted_at as at, runs.url
from proven_runs as runs
