-- id: job_evidence
-- title: What the jobs of each pipeline prove
-- grain: one row per profile, merged pull request, job solution, and pipeline with runs that belong to the pull request
-- reads: solution_runs, solution_jobs, pipeline_run_jobs

with
-- one row per profile
profiles as (select column1 as profile from (values ('standard'), ('strict'))),
-- one row per solution, pull request, run and attempt of a matching record, and one with nulls per path that only other runs have, or
-- where none matches; a completed record without a time ended with its run
selected_records as (
    select
        runs.*, records.path, records.attempt, records.result as job_result,
        case when records.state = 'completed' then coalesce(records.finished_at, runs.finished_at) end as job_finished_at
    from solution_runs as runs
    left join solution_jobs as jobs
        on jobs.organization = runs.organization
        and jobs.repository_id = runs.repository_id
        and jobs.kind = runs.kind
        and jobs.solution_index = runs.solution_index
        and jobs.pipeline_id = runs.pipeline_id
        and jobs.run_name = runs.run_name
        and jobs.run_folder = runs.run_folder
    left join pipeline_run_jobs as records
        on records.organization = runs.organization
        and records.run_id = runs.run_id
        and records.path = jobs.path
    where runs.selector = 'job'
),
-- the same, with the latest attempt that ended at or before the merge
placed_records as (
    select
        *,
        max(case when job_finished_at <= merged_at then attempt end) over (
            partition by organization, pull_request_id, kind, solution_index, run_id, path
        ) as counted_attempt
    from selected_records
),
-- one row per solution, pull request and run
judged_runs as (
    select
        organization, pull_request_id, merged_at, kind, solution_index, pipeline_id, run_id,
        name, link, code, finished_at, last_finished_at, jobs_read_at, jobs_gone_at, is_rerun_after_merge, url,
        count(path) as record_count,
        max(path) filter (where counted_attempt is null or attempt = counted_attempt) as path,
        max(job_finished_at) filter (where attempt = counted_attempt and job_finished_at <= merged_at) as job_counted_at,
        bool_or(attempt = counted_attempt and coalesce(job_result not in ('succeeded', 'succeededWithIssues', 'skipped'), true)) as has_failed,
        bool_or(attempt = counted_attempt and job_result = 'skipped') as has_skipped,
        bool_or(attempt = counted_attempt and job_result = 'succeededWithIssues') as has_issues,
        bool_or(path is not null and counted_attempt is null and job_finished_at is null) as has_unfinished,
        bool_or(path is not null and (counted_attempt is null or (attempt = counted_attempt and coalesce(job_finished_at > merged_at, true)))) as has_late
    from placed_records
    group by
        organization, pull_request_id, merged_at, kind, solution_index, pipeline_id, run_id,
        name, link, code, finished_at, last_finished_at, jobs_read_at, jobs_gone_at, is_rerun_after_merge, url
),
-- one row per profile, solution, pull request and run; step: 3 final commit, 2 commit unknown, 1 older commit, 0 not accepted
selected_runs as (
    select
        profiles.profile, runs.*,
        case when runs.record_count = 0 then runs.finished_at else runs.job_counted_at end as judged_at,
        coalesce(runs.finished_at, runs.job_counted_at) as ended_at,
        case
            when profiles.profile = 'strict' and runs.link <> 'pull_request' then 0
            when runs.code = 'final' then 3
            when runs.code = 'unknown' then 2
            else 1
        end as step
    from profiles
    cross join judged_runs as runs
),
-- the same, with what its jobs prove
proven_runs as (
    select
        *,
        case
            when step = 0 then 'NOT_RUN'
            when step = 1 then 'STALE_RUN'
            when record_count = 0 and finished_at is null and last_finished_at is null then 'RUN_NOT_FINISHED'
            when record_count = 0 and finished_at is null then 'RUN_AFTER_MERGE'
            when record_count = 0 and jobs_read_at >= finished_at then 'JOB_NOT_FOUND'
            when record_count = 0 and jobs_gone_at is not null then 'EVIDENCE_EXPIRED'
            when record_count = 0 then 'EVIDENCE_UNREADABLE'
            when has_failed then 'JOB_FAILED'
            when has_skipped then 'JOB_SKIPPED'
            when has_issues then 'JOB_WITH_ISSUES'
            when has_unfinished then 'RUN_NOT_FINISHED'
            when has_late then 'RUN_AFTER_MERGE'
            when step = 2 and profile = 'strict' then 'COMMIT_UNPROVEN'
            else 'JOB_SUCCEEDED'
        end as reason_code
    from selected_runs
),
-- one row per profile, solution, pull request and pipeline
grouped_runs as (
    select
        organization, pull_request_id, merged_at, profile, kind, solution_index, pipeline_id,
        array_agg(named_struct(
            'step', step, 'ended_at', ended_at, 'judged_at', judged_at, 'run_id', run_id, 'reason_code', reason_code,
            'name', cast(concat_ws('/', name, path) as varchar), 'link', link, 'is_rerun_after_merge', is_rerun_after_merge, 'url', url
        )) as runs,
        count(*) as run_count
    from proven_runs
    group by organization, pull_request_id, merged_at, profile, kind, solution_index, pipeline_id
),
-- the same, with the run that decides: best step, then last finish; of a run that ends later, that of its jobs
chosen_runs as (
    select
        *,
        case when run_count > 1 then array_sort(runs)[cast(run_count as int)] else runs[1] end as chosen
    from grouped_runs
)
select
    runs.organization, runs.pull_request_id, runs.merged_at, runs.profile, runs.kind, runs.solution_index,
    'pipeline' as leg,
    runs.chosen['reason_code'] as reason_code,
    concat_ws(
        ',',
        case when runs.chosen['step'] = 2 and runs.profile = 'standard' and runs.chosen['judged_at'] is not null then 'COMMIT_UNPROVEN' end,
        case when runs.chosen['step'] > 0 and runs.chosen['link'] = 'branch' then 'LINKED_BY_BRANCH' end,
        case when runs.chosen['link'] <> 'pull_request' then 'NON_PR_RUN' end,
        case when runs.chosen['step'] >= 2 and runs.chosen['is_rerun_after_merge'] then 'RERUN_AFTER_MERGE' end
    ) as flags,
    'job' as what, runs.chosen['name'] as name, runs.chosen['run_id'] as id, cast(null as varchar) as result,
    runs.chosen['judged_at'] as at, runs.chosen['url'] as url
from chosen_runs as runs
