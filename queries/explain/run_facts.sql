-- id: run_facts
-- title: Pipeline runs around a pull request, and what each proved
-- about: pull_request
-- checks: pull_request_dependency_check_passed, pull_request_integration_tests_passed, pull_request_sast_passed
-- grain: one row per verdict, run, finish of it, and solution that it fits, and per job that a solution asks for
-- reads: explained_verdicts, merged_pull_requests, final_code, pull_request_runs, solution_runs, solution_pipelines, solution_jobs, solution_selectors, pull_request_evidence, pipeline_runs, pipeline_run_finishes, pipeline_run_jobs
-- params: organization text; repository_id text; pull_request_id bigint; profile text

with
-- one row per verdict that is about solutions
verdicts as (
    select
        verdicts.check_id, kinds.kind,
        verdicts.reason_code in ('NOT_RUN', 'JOB_NOT_FOUND', 'NOT_CONFIGURED', 'EVIDENCE_EXPIRED', 'EVIDENCE_UNREADABLE') as is_lacking
    from explained_verdicts as verdicts
    join (values
        ('pull_request_sast_passed', 'sast'),
        ('pull_request_integration_tests_passed', 'integration_tests'),
        ('pull_request_dependency_check_passed', 'dependency_checks')
    ) as kinds (check_id, kind) on kinds.check_id = verdicts.check_id
    where verdicts.pull_request_id = $pull_request_id
),
-- one row: the pull request
merged as (select * from merged_pull_requests where organization = $organization and pull_request_id = $pull_request_id),
code as (select * from final_code where organization = $organization and pull_request_id = $pull_request_id),
evidence as (
    select * from pull_request_evidence
    where organization = $organization and pull_request_id = $pull_request_id and profile = $profile
),
-- one row per solution and pipeline with runs: the run that speaks for it, and what it proves
pieces as (
    select
        kind, solution_index, piece['what'] as what, piece['id'] as run_id, piece['outcome'] as outcome,
        piece['reason_code'] as reason_code, piece['phrase'] as phrase
    from (select kind, solution_index, unnest(runs) as piece from evidence where runs is not null) as unpacked
    where piece['what'] <> 'evaluation'
),
-- one row per kind: its solutions
solutions as (
    select kind, string_agg(concat('`', solution, '`'), ', ' order by solution_index) as solutions
    from solution_selectors
    where organization = $organization and repository_id = $repository_id
    group by kind
),
-- one row per run that belongs to the pull request
runs as (
    select runs.*, pipeline_runs.queued_at, pipeline_runs.source_branch, pipeline_runs.source_version,
        coalesce(pipeline_runs.pull_request_source_commit, pipeline_runs.source_version) as built_commit,
        concat('run ', cast(runs.run_id as varchar), ' of ', coalesce(nullif(runs.pipeline_name, ''), cast(runs.pipeline_id as varchar))) as name
    from pull_request_runs as runs
    join pipeline_runs on pipeline_runs.organization = runs.organization and pipeline_runs.run_id = runs.run_id
    where runs.organization = $organization and runs.pull_request_id = $pull_request_id
),
-- one row per run and finish of it, one with nulls for a run that never finished
finishes as (
    select runs.run_id, ends.finished_at, max(ends.result) as result
    from runs
    left join (
        select run_id, finished_at, result from pipeline_run_finishes where organization = $organization
        union all
        select run_id, finished_at, result from pipeline_runs where organization = $organization and finished_at is not null
    ) as ends on ends.run_id = runs.run_id
    group by runs.run_id, ends.finished_at
),
-- one row per verdict, run and solution of that kind that it fits; solution is null where it fits none
fitted_runs as (
    select
        verdicts.check_id, verdicts.kind, verdicts.is_lacking, runs.*, fits.solution_index, selectors.solution,
        pieces.what, pieces.outcome, pieces.reason_code, pieces.phrase, evidence.reason_code as solution_code
    from verdicts
    cross join runs
    left join solution_runs as fits
        on fits.organization = runs.organization
        and fits.pull_request_id = runs.pull_request_id
        and fits.run_id = runs.run_id
        and fits.kind = verdicts.kind
    left join solution_selectors as selectors
        on selectors.organization = fits.organization
        and selectors.repository_id = fits.repository_id
        and selectors.kind = fits.kind
        and selectors.solution_index = fits.solution_index
    left join pieces
        on pieces.kind = fits.kind and pieces.solution_index = fits.solution_index and pieces.run_id = runs.run_id
    left join evidence on evidence.kind = fits.kind and evidence.solution_index = fits.solution_index
),
-- the same per finish: what it is worth
finished_runs as (
    select
        runs.check_id, runs.is_lacking, runs.run_id, runs.name, runs.url, runs.reason, runs.link, runs.code, runs.built_commit, runs.solution,
        runs.queued_at, runs.merged_at, runs.phrase, runs.what, finishes.finished_at, finishes.result,
        runs.finished_at is not distinct from finishes.finished_at as is_counted_finish,
        case
            when runs.solution is null or runs.solution_code in ('AMBIGUOUS_SOLUTION', 'PATHS_NOT_TOUCHED') then 'ignored'
            when finishes.finished_at > runs.merged_at then 'ignored'
            when runs.outcome is null then 'ignored'
            when runs.outcome = 'holds' and runs.what <> 'job' and finishes.finished_at is distinct from runs.finished_at then 'ignored'
            when runs.what = 'job' then 'context'
            when runs.outcome = 'holds' then 'counts'
            when runs.outcome = 'fails' and finishes.finished_at is not distinct from runs.finished_at then 'against'
            else 'ignored'
        end as effect,
        case
            when runs.solution is null then concat('fits none of the solutions ', coalesce(solutions.solutions, '(none is configured)'))
            when runs.solution_code = 'AMBIGUOUS_SOLUTION' then concat('`', runs.solution, '` may mean this pipeline or another one')
            when runs.solution_code = 'PATHS_NOT_TOUCHED' then concat('`', runs.solution, '` does not apply to this change')
            when finishes.finished_at > runs.merged_at and runs.finished_at is not null then 'finished again after the merge'
            when finishes.finished_at > runs.merged_at and runs.approved_at is not null then 'finished after the merge; before it, its branch policy had approved it'
            when finishes.finished_at > runs.merged_at then 'finished only after the merge'
            when finishes.finished_at < runs.finished_at then 'finished again later'
            when finishes.finished_at is null then 'not finished'
            when $profile = 'strict' and runs.link <> 'pull_request' then concat('not started by the pull request (reason ', coalesce(runs.reason, 'none'), '), which strict demands')
            when runs.code = 'older' then 'covers an older commit, not the final one'
            when runs.outcome is null then 'a later run of the pipeline decides'
            when runs.code = 'unknown' and $profile = 'strict' then 'on which commit is not known'
            when runs.code = 'unknown' then 'on which commit is not known, and no run says that it covers the final one'
            when runs.link = 'branch' then 'on the final commit of the source branch, though not for the pull request'
            when runs.link = 'other_reason' then concat('on the final commit, though started otherwise (reason ', coalesce(runs.reason, 'none'), ')')
            else 'on the final commit'
        end as why
    from fitted_runs as runs
    join finishes on finishes.run_id = runs.run_id
    left join solutions on solutions.kind = runs.kind
),
-- one row per verdict and run of a pipeline of its solutions that does not belong to the pull request, but is near it
foreign_runs as (
    select
        verdicts.check_id, others.run_id, others.url, others.finished_at, others.queued_at, others.result,
        concat('run ', cast(others.run_id as varchar), ' of ', coalesce(others.pipeline_name, cast(others.pipeline_id as varchar))) as name,
        case
            when lower(others.repository_type) <> 'tfsgit' then 'builds a repository outside of Azure Repos'
            when others.source_version = merged.merge_commit then concat('ran on ', merged.branch, ' after the merge, not on the pull request')
            when others.source_version = merged.source_commit then 'finished only after the merge, and is not of the pull request'
            else concat('ran on the source branch at commit ', substr(others.source_version, 1, 8), ', not at the final one')
        end as why
    from merged
    join pipeline_runs as others
        on others.organization = merged.organization
        and others.project_id = merged.project_id
        and (
            (lower(others.repository_type) <> 'tfsgit' and others.source_branch = concat('refs/pull/', cast(merged.pull_request_id as varchar), '/merge'))
            or (
                others.pull_request_id is null
                and others.repository_id = coalesce(merged.fork_repository_id, merged.repository_id)
                and others.source_branch = merged.source_ref
                and others.queued_at >= merged.created_at
            )
            or (others.repository_id = merged.repository_id and others.source_version = merged.merge_commit)
        )
    left anti join runs on runs.run_id = others.run_id
    join (
        select kind, pipeline_id from solution_pipelines
        where organization = $organization and repository_id = $repository_id
        group by kind, pipeline_id
    ) as wanted on wanted.pipeline_id = others.pipeline_id
    join verdicts on verdicts.kind = wanted.kind
),
-- one row per verdict, job solution, run that speaks for it, and record that fits
jobs as (
    select
        pieces.kind, runs.name as run_name, runs.merged_at, records.path, records.attempt, records.state, records.result, records.finished_at,
        records.record_id, pieces.outcome,
        max(case when coalesce(records.finished_at, runs.finished_at) <= runs.merged_at then records.attempt end)
            over (partition by pieces.kind, pieces.solution_index, runs.run_id, records.path) as counted_attempt
    from pieces
    join runs on runs.run_id = pieces.run_id
    join solution_jobs as wanted
        on wanted.organization = runs.organization
        and wanted.repository_id = runs.repository_id
        and wanted.kind = pieces.kind
        and wanted.solution_index = pieces.solution_index
        and wanted.pipeline_id = runs.pipeline_id
        and wanted.run_name = runs.run_name
        and wanted.run_folder = runs.run_folder
    join pipeline_run_jobs as records
        on records.organization = runs.organization
        and records.run_id = runs.run_id
        and records.path = wanted.path
    where pieces.what = 'job'
)
select
    check_id, effect, coalesce(finished_at, queued_at) as at, 4 as step, 'run' as kind,
    concat(name, case when finished_at is null then ' was queued' else concat(' finished with result ', coalesce(result, 'none')) end) as fact,
    why, cast(run_id as varchar) as id, url
from finished_runs
-- what else ran is told only where something is missing
where solution is not null or is_lacking
union all
select
    check_id, 'ignored' as effect, coalesce(finished_at, queued_at) as at, 4 as step, 'run' as kind,
    concat(name, case when finished_at is null then ' was queued' else concat(' finished with result ', coalesce(result, 'none')) end) as fact,
    why, cast(run_id as varchar) as id, url
from foreign_runs
union all
select
    verdicts.check_id,
    case
        when coalesce(jobs.attempt <> jobs.counted_attempt, true) then 'ignored'
        when jobs.result = 'succeeded' then 'counts'
        else 'against'
    end as effect,
    jobs.finished_at as at, 4 as step, 'job' as kind,
    concat(
        'job ', jobs.path, ' of ', jobs.run_name, case when jobs.attempt > 1 then concat(', attempt ', cast(jobs.attempt as varchar)) else '' end,
        case
            when jobs.result is not null then concat(' ended with result ', jobs.result)
            when jobs.state = 'completed' then ' ended without a result'
            else concat(' is ', coalesce(jobs.state, 'in no known state'))
        end
    ) as fact,
    case
        when jobs.finished_at > jobs.merged_at then 'ended after the merge'
        when jobs.counted_attempt is null then 'not ended before the merge'
        when jobs.attempt <> jobs.counted_attempt then 'another attempt decides'
        when jobs.outcome in ('missing', 'unknown') then 'the run does not cover the final commit'
    end as why,
    jobs.record_id as id, cast(null as varchar) as url
from jobs
join verdicts on verdicts.kind = jobs.kind
