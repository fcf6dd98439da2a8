-- id: solution_facts
-- title: What solutions ask for, and what of it is missing
-- about: pull_request
-- checks: pull_request_dependency_check_passed, pull_request_integration_tests_passed, pull_request_sast_passed
-- grain: one row per verdict, solution, and policy evaluation, changed path, name, reading or run that it lacks
-- reads: explained_verdicts, merged_pull_requests, selector_readings, solution_selectors, pull_request_evidence, pipeline_names, pull_request_changes, run_windows_expired, pull_request_runs
-- params: organization text; repository_id text; pull_request_id bigint; profile text

with
-- one row per verdict that is about solutions
verdicts as (
    select verdicts.check_id, kinds.kind, kinds.key, verdicts.reason_code, verdicts.status, verdicts.pull_request_id
    from explained_verdicts as verdicts
    join (values
        ('pull_request_sast_passed', 'sast', 'sast'),
        ('pull_request_integration_tests_passed', 'integration_tests', 'integration-tests'),
        ('pull_request_dependency_check_passed', 'dependency_checks', 'dependency-checks')
    ) as kinds (check_id, kind, key) on kinds.check_id = verdicts.check_id
),
-- one row: the pull request
merged as (select * from merged_pull_requests where organization = $organization and pull_request_id = $pull_request_id),
evidence as (
    select * from pull_request_evidence
    where organization = $organization and pull_request_id = $pull_request_id and profile = $profile
),
readings as (
    select * from selector_readings
    where organization = $organization and pull_request_id = $pull_request_id and profile = $profile
),
selectors as (
    select * from solution_selectors
    where organization = $organization and repository_id = $repository_id
),
-- one row per solution and policy evaluation that stands for a run or status
evaluations as (
    select
        kind, piece['id'] as build_id, piece['name'] as name, piece['result'] as result, piece['at'] as at,
        piece['outcome'] as outcome, piece['reason_code'] as reason_code
    from (
        select kind, unnest(array_concat(coalesce(runs, make_array()), coalesce(statuses, make_array()))) as piece from evidence
    ) as unpacked
    where piece['what'] = 'evaluation'
),
-- one row per solution with something unread, and what
unread as (
    select
        readings.kind, readings.solution, readings.solution_index, needed.what,
        case needed.what
            when 'runs' then concat(
                'the runs of the project were not read without a hole from the last push, ', to_char(readings.pushed_at, '%Y-%m-%d %H:%M:%S'),
                ', to the merge, ', to_char(readings.merged_at, '%Y-%m-%d %H:%M:%S')
            )
            when 'statuses' then 'the statuses were not read after the merge'
            when 'iterations' then 'the iterations were not read after the merge'
            when 'evaluations' then 'the policy evaluations were not read after the merge'
            else 'the changed paths were not read after the merge'
        end as told
    from readings
    join evidence on evidence.kind = readings.kind and evidence.solution_index = readings.solution_index
    cross join (values ('runs'), ('statuses'), ('iterations'), ('evaluations'), ('paths')) as needed (what)
    where evidence.reason_code = 'EVIDENCE_UNREADABLE'
        and case needed.what
            when 'runs' then readings.selector <> 'status' and not readings.is_runs_read
            when 'statuses' then readings.selector in ('any', 'status') and not readings.is_statuses_read
            when 'iterations' then readings.selector in ('any', 'status') and not readings.is_iterations_read
            when 'evaluations' then not readings.is_evaluations_read
            else readings.paths_json is not null and not readings.is_changes_read
        end
),
-- one row per solution whose runs may have been purged: until which push
expired as (
    select readings.kind, readings.solution, readings.pushed_at, max(windows.pushed_before) as pushed_before
    from readings
    join evidence on evidence.kind = readings.kind and evidence.solution_index = readings.solution_index
    join run_windows_expired as windows
        on windows.profile = readings.profile
        and windows.organization = readings.organization
        and windows.project_id = readings.project_id
        and readings.pushed_at > windows.pushed_after
        and readings.pushed_at <= windows.pushed_until
        and readings.pushed_at < windows.pushed_before
    where evidence.reason_code = 'EVIDENCE_EXPIRED' and evidence.runs is null
    group by readings.kind, readings.solution, readings.pushed_at
),
-- one row per run that a job solution would be judged on and whose timeline is not there
timelines as (
    select
        evidence.kind, pieces.piece['id'] as run_id, pieces.piece['name'] as name, pieces.piece['reason_code'] as reason_code,
        runs.jobs_read_at, runs.jobs_gone_at, runs.url
    from evidence
    join (
        select kind, solution_index, unnest(runs) as piece from evidence where runs is not null
    ) as pieces on pieces.kind = evidence.kind and pieces.solution_index = evidence.solution_index
    left join pull_request_runs as runs
        on runs.organization = $organization and runs.pull_request_id = $pull_request_id and runs.run_id = pieces.piece['id']
    where evidence.selector = 'job' and pieces.piece['what'] = 'job'
        and pieces.piece['reason_code'] in ('EVIDENCE_EXPIRED', 'EVIDENCE_UNREADABLE', 'JOB_NOT_FOUND')
),
-- one row per ambiguous solution and pipeline that bears the name
namesakes as (
    select selectors.kind, selectors.solution, names.name, coalesce(nullif(names.folder, ''), '\') as folder, names.pipeline_id
    from selectors
    join pipeline_names as names
        on names.organization = selectors.organization
        and names.project_id = selectors.project_id
        and lower(names.name) = selectors.pattern
        and ((names.is_current and not names.is_deleted) or not names.is_listed)
    where selectors.is_ambiguous
    group by selectors.kind, selectors.solution, names.name, coalesce(nullif(names.folder, ''), '\'), names.pipeline_id
),
-- one row per solution with paths whose changes were read: how many paths changed, and the first ones
changed as (
    select
        readings.kind, readings.solution, readings.paths_json, readings.is_touched, evidence.reason_code,
        count(changes.path) as path_count,
        array_to_string(array_slice(array_agg(changes.path order by changes.path), 1, 3), ', ') as first_paths
    from readings
    join evidence on evidence.kind = readings.kind and evidence.solution_index = readings.solution_index
    left join pull_request_changes as changes
        on changes.organization = readings.organization
        and changes.pull_request_id = readings.pull_request_id
    where readings.paths_json is not null and readings.is_changes_read
    group by readings.kind, readings.solution, readings.paths_json, readings.is_touched, evidence.reason_code
),
-- one row per fact of a kind
facts as (
    select
        kind,
        case
            when outcome in ('holds', 'excused', 'not_applicable') then 'counts'
            else 'ignored'
        end as effect,
        at, 6 as step, 'evaluation' as fact_kind,
        concat('branch policy for ', name, ': ', result, coalesce(', run ' || cast(build_id as varchar), '')) as fact,
        case reason_code
            when 'EVALUATION_APPROVED' then 'approved for the final commit; the run itself is gone from Azure DevOps and was never read'
            when 'POLICY_NOT_APPLICABLE' then 'the policy did not apply to this change'
            when 'STALE_RUN' then 'for an older commit, or expired'
            when 'NOT_RUN' then 'no run of it was read'
            when 'EVIDENCE_EXPIRED' then 'the run is gone, and with it its jobs'
        end as why,
        cast(build_id as varchar) as id, cast(null as varchar) as url
    from evaluations
    union all
    select
        kind, 'missing' as effect, cast(null as timestamp) as at, 9 as step, 'reading' as fact_kind,
        told as fact, concat('solution `', solution, '` needs it') as why, what as id, null as url
    from unread
    union all
    select
        kind, 'missing' as effect, null as at, 9 as step, 'reading' as fact_kind,
        concat('no run that fits `', solution, '` is stored') as fact,
        concat(
            'runs of pushes before ', to_char(pushed_before, '%Y-%m-%d %H:%M:%S'),
            ' may have been purged when runs were first read; the last push was at ', to_char(pushed_at, '%Y-%m-%d %H:%M:%S')
        ) as why,
        solution as id, null as url
    from expired
    union all
    select
        kind, 'missing' as effect, null as at, 9 as step, 'job' as fact_kind,
        case reason_code
            when 'JOB_NOT_FOUND' then concat('no job of ', name, ' (run ', cast(run_id as varchar), ') fits')
            else concat('the timeline of ', name, ' (run ', cast(run_id as varchar), ') is not there')
        end as fact,
        case
            when reason_code = 'JOB_NOT_FOUND' then 'its timeline was read and holds no such job'
            when jobs_gone_at is not null then concat('Azure DevOps no longer had it at ', to_char(jobs_gone_at, '%Y-%m-%d %H:%M:%S'))
            when reason_code = 'EVIDENCE_EXPIRED' then 'the run was gone before it was read'
            else 'it was not read after the run finished'
        end as why,
        cast(run_id as varchar) as id, url
    from timelines
    union all
    select
        kind, 'against' as effect, null as at, 9 as step, 'pipeline' as fact_kind,
        concat('`', solution, '` fits pipeline ', name, ' in folder ', folder) as fact, null as why, cast(pipeline_id as varchar) as id, null as url
    from namesakes
    union all
    select
        kind,
        case when is_touched then 'context' else 'counts' end as effect,
        null as at, 7 as step, 'paths' as fact_kind,
        concat(
            cast(path_count as varchar), case when path_count = 1 then ' path' else ' paths' end, ' changed',
            coalesce(': ' || nullif(first_paths, '') || case when path_count > 3 then ', …' else '' end, '')
        ) as fact,
        concat(
            'solution `', solution, '` applies to ', paths_json, ', which ',
            case when is_touched then 'it touches' else 'it does not touch' end
        ) as why,
        solution as id, null as url
    from changed
    union all
    select
        evidence.kind, 'missing' as effect, null as at, 9 as step, 'solution' as fact_kind,
        concat(
            'no ',
            case evidence.selector when 'status' then 'status' when 'any' then 'run or status' when 'job' then 'run with such a job' else 'run' end,
            ' of this pull request fits `', evidence.solution, '`'
        ) as fact,
        null as why, evidence.solution as id, null as url
    from evidence
    where evidence.reason_code = 'NOT_RUN' and evidence.runs is null and evidence.statuses is null
    union all
    select
        verdicts.kind, 'missing' as effect, null as at, 9 as step, 'setting' as fact_kind,
        concat('`', verdicts.key, '` is empty for the repository') as fact, null as why, verdicts.key as id, null as url
    from verdicts
    left anti join selectors on selectors.kind = verdicts.kind
    where verdicts.reason_code = 'NOT_CONFIGURED' and verdicts.pull_request_id is not null
    union all
    select
        verdicts.kind, 'missing' as effect, null as at, 9 as step, 'setting' as fact_kind,
        '`production-branches` is empty for the repository' as fact, null as why, 'production-branches' as id, null as url
    from verdicts
    where verdicts.reason_code = 'NOT_CONFIGURED' and verdicts.pull_request_id is null
)
select verdicts.check_id, facts.effect, facts.at, facts.step, facts.fact_kind as kind, facts.fact, facts.why, facts.id, facts.url
from facts
join verdicts on verdicts.kind = facts.kind
