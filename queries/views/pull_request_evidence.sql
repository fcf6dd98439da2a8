-- id: pull_request_evidence
-- title: What each solution proves of each merged pull request
-- grain: one row per profile, merged pull request and solution (selector) of a kind; outcome: holds, fails, unknown or not_applicable
-- reads: selector_readings, pipeline_evidence, job_evidence, status_evidence, evaluation_evidence

-- The smallest rank decides among several pieces of evidence: 1xx fails, 2xx unknown, 3xx holds, 4xx does not apply, 5xx does not
-- count (a failure where nothing else is found), 6xx excused. The last two digits of failures are the order of their reasons; of
-- several pieces with one reason, what an evaluation says comes last.
with
-- one row per reason
reasons as (
    select column1 as reason_code, column2 as rank, column3 as outcome, column4 as phrase
    from (values
        ('RUN_FAILED', 102, 'fails', 'failed'),
        ('RUN_CANCELED', 103, 'fails', 'was canceled'),
        ('RUN_PARTIALLY_SUCCEEDED', 104, 'fails', 'succeeded only partially'),
        ('JOB_FAILED', 105, 'fails', 'failed'),
        ('JOB_SKIPPED', 106, 'fails', 'was skipped'),
        ('JOB_WITH_ISSUES', 107, 'fails', 'succeeded with issues'),
        ('JOB_NOT_FOUND', 508, 'missing', 'holds no such job'),
        ('STATUS_FAILED', 109, 'fails', 'was posted as failed'),
        ('STATUS_PENDING', 110, 'fails', 'was still pending'),
        ('RUN_NOT_FINISHED', 511, 'missing', 'was not finished'),
        ('RUN_AFTER_MERGE', 512, 'missing', 'finished only after the merge'),
        ('STATUS_AFTER_MERGE', 513, 'missing', 'was posted only after the merge'),
        ('STALE_RUN', 514, 'missing', 'covers an older commit only'),
        ('STALE_STATUS', 515, 'missing', 'covers older code only'),
        ('NOT_RUN', 516, 'missing', 'is no accepted run of this pull request'),
        ('COMMIT_UNPROVEN', 201, 'unknown', 'succeeded, but on which commit is not known'),
        ('EVIDENCE_EXPIRED', 202, 'unknown', 'is no longer kept by Azure DevOps'),
        ('EVIDENCE_UNREADABLE', 203, 'unknown', 'has a timeline that was not read'),
        ('RUN_SUCCEEDED', 301, 'holds', 'succeeded on the final commit'),
        ('JOB_SUCCEEDED', 302, 'holds', 'succeeded on the final commit'),
        ('STATUS_SUCCEEDED', 303, 'holds', 'was posted as succeeded for the final code'),
        ('EVALUATION_APPROVED', 304, 'holds', 'was approved by its branch policy for the final commit'),
        ('STATUS_NOT_APPLICABLE', 401, 'not_applicable', 'was posted as not applicable'),
        ('POLICY_NOT_APPLICABLE', 601, 'excused', 'was not applicable by its branch policy')
    )
),
-- one row per piece of evidence: a pipeline, status or evaluation of one solution; leg: pipeline or status
pieces as (
    select * from pipeline_evidence
    union all
    select * from job_evidence
    union all
    select * from status_evidence
    union all
    select * from evaluation_evidence
),
-- the same, ranked
ranked as (
    select
        pieces.organization, pieces.pull_request_id, pieces.merged_at, pieces.profile, pieces.kind, pieces.solution_index,
        pieces.leg, pieces.flags, reasons.outcome,
        named_struct(
            'rank', reasons.rank * 10 + case when pieces.what = 'evaluation' then 1 else 0 end,
            'outcome', reasons.outcome, 'reason_code', pieces.reason_code, 'what', pieces.what,
            'name', pieces.name, 'id', pieces.id, 'phrase', reasons.phrase, 'result', pieces.result, 'at', pieces.at,
            'flags', pieces.flags, 'url', pieces.url
        ) as evidence
    from reasons
    join pieces on pieces.reason_code = reasons.reason_code
),
-- one row per profile, pull request and solution with evidence
grouped as (
    select
        organization, pull_request_id, merged_at, profile, kind, solution_index,
        array_agg(evidence) filter (where leg = 'pipeline') as runs,
        count(*) filter (where leg = 'pipeline') as run_count,
        array_agg(evidence) filter (where leg = 'status') as statuses,
        count(*) filter (where leg = 'status') as status_count,
        string_agg(nullif(flags, ''), ',') filter (where leg = 'pipeline' and outcome = 'holds') as run_flags,
        string_agg(nullif(flags, ''), ',') filter (where leg = 'status' and outcome = 'holds') as status_flags
    from ranked
    group by organization, pull_request_id, merged_at, profile, kind, solution_index
),
-- the same, in order of rank: the first one decides
sorted as (
    select
        organization, pull_request_id, merged_at, profile, kind, solution_index, run_flags, status_flags,
        case when run_count > 1 then array_sort(runs) else runs end as runs,
        case when status_count > 1 then array_sort(statuses) else statuses end as statuses
    from grouped
),
-- one row per profile, pull request and solution, with the piece of evidence that decides on each leg
read as (
    select
        readings.*,
        sorted.run_flags, sorted.status_flags, sorted.runs, sorted.statuses,
        sorted.runs[1] as run,
        coalesce(sorted.runs[1]['outcome'], 'none') as run_outcome,
        sorted.statuses[1] as status,
        coalesce(sorted.statuses[1]['outcome'], 'none') as status_outcome
    from sorted
    right join selector_readings as readings
        on readings.organization = sorted.organization
        and readings.pull_request_id = sorted.pull_request_id
        and readings.merged_at = sorted.merged_at
        and readings.profile = sorted.profile
        and readings.kind = sorted.kind
        and readings.solution_index = sorted.solution_index
),
-- the same, with what decides: a leg, or a code of its own
decided as (
    select
        *,
        case
            when paths_json is not null and is_changes_read and not is_touched then 'PATHS_NOT_TOUCHED'
            when is_ambiguous then 'AMBIGUOUS_SOLUTION'
            -- that a run is gone is known only where the project's runs were read
            when run_outcome = 'holds' and (is_runs_read or run['what'] <> 'evaluation') then 'run'
            when status_outcome = 'holds' then 'status'
            when not is_read then 'EVIDENCE_UNREADABLE'
            when run_outcome = 'unknown' then 'run'
            when run_outcome in ('fails', 'missing') and status_outcome in ('fails', 'missing')
                then case when run['rank'] % 1000 <= status['rank'] % 1000 then 'run' else 'status' end
            when run_outcome in ('fails', 'missing') then 'run'
            when status_outcome in ('fails', 'missing', 'not_applicable') then 'status'
            when run_outcome = 'excused' then 'run'
            when status_outcome = 'excused' then 'status'
            when selector <> 'status' and is_runs_expired then 'EVIDENCE_EXPIRED'
            else 'NOT_RUN'
        end as decided_by
    from read
),
-- the same, with the piece of evidence that decides
explained as (
    select
        *,
        case decided_by when 'run' then run when 'status' then status end as piece,
        case decided_by when 'run' then run_flags when 'status' then status_flags end as holding_flags,
        case decided_by when 'run' then run['reason_code'] when 'status' then status['reason_code'] else decided_by end as reason_code
    from decided
)
select
    organization, project_id, repository_id, pull_request_id, merged_at,
    profile, kind, solution_index, solution, selector, require,
    case
        when piece['outcome'] = 'missing' then 'fails'
        when piece['outcome'] = 'excused' then 'not_applicable'
        when piece['outcome'] is not null then piece['outcome']
        when reason_code = 'PATHS_NOT_TOUCHED' then 'not_applicable'
        when reason_code in ('EVIDENCE_UNREADABLE', 'EVIDENCE_EXPIRED') then 'unknown'
        else 'fails'
    end as outcome,
    reason_code,
    case
        when piece['outcome'] = 'holds' and holding_flags is not null
            then array_to_string(array_sort(array_distinct(string_to_array(holding_flags, ','))), ',')
        else coalesce(piece['flags'], '')
    end as flags,
    case
        when piece['outcome'] is not null then concat(
            piece['what'], ' ', piece['name'],
            case when piece['id'] is not null then concat(' (', piece['id'], ')') else '' end,
            ' ', piece['phrase'],
            case when piece['at'] is not null then concat(' at ', piece['at']) else '' end,
            case when piece['result'] is not null then concat(', result ', piece['result']) else '' end
        )
        when reason_code = 'PATHS_NOT_TOUCHED' then 'no changed path matches its paths'
        when reason_code = 'AMBIGUOUS_SOLUTION' then 'the name fits pipelines in two folders'
        when reason_code = 'EVIDENCE_UNREADABLE' then 'what it needs was not read up to the merge'
        when reason_code = 'EVIDENCE_EXPIRED' then 'its runs may have been purged before they were read'
        else 'no run or status was found'
    end as reason,
    runs,
    statuses
from explained
