-- id: solution_flips
-- title: What would have proved a solution
-- about: pull_request
-- checks: pull_request_dependency_check_passed, pull_request_integration_tests_passed, pull_request_sast_passed
-- grain: one row per verdict that is no pass, and solution that it lacks
-- reads: explained_verdicts, final_code, pull_request_evidence, pull_request_runs, pull_request_statuses
-- params: organization text; repository_id text; pull_request_id bigint; profile text

with
-- one row per verdict that is about solutions
verdicts as (
    select verdicts.check_id, kinds.kind, kinds.key, verdicts.status, verdicts.reason_code, verdicts.flags, verdicts.pull_request_id
    from explained_verdicts as verdicts
    join (values
        ('pull_request_sast_passed', 'sast', 'sast'),
        ('pull_request_integration_tests_passed', 'integration_tests', 'integration-tests'),
        ('pull_request_dependency_check_passed', 'dependency_checks', 'dependency-checks')
    ) as kinds (check_id, kind, key) on kinds.check_id = verdicts.check_id
    where verdicts.status not in ('pass', 'exempt')
),
-- one row: the pull request and its final code
code as (
    select
        final_code.organization, final_code.pull_request_id,
        concat(
            'the final commit', coalesce(' ' || substr(final_code.source_commit, 1, 8), ''),
            coalesce(' (iteration ' || cast(final_code.last_push_iteration_id as varchar) || ')', '')
        ) as the_code,
        concat('the merge, ', to_char(final_code.merged_at, '%Y-%m-%d %H:%M:%S'), ' UTC') as the_merge
    from final_code
    where final_code.organization = $organization and final_code.pull_request_id = $pull_request_id
),
-- one row per solution that lacks something: the piece of evidence that speaks against it
lacking as (
    select
        evidence.kind, evidence.solution_index, evidence.solution, evidence.selector, evidence.require, evidence.outcome, evidence.reason_code,
        coalesce(
            case when evidence.runs[1]['reason_code'] = evidence.reason_code then evidence.runs[1] end,
            case when evidence.statuses[1]['reason_code'] = evidence.reason_code then evidence.statuses[1] end
        ) as piece,
        row_number() over (partition by evidence.kind order by evidence.solution_index) as position
    from pull_request_evidence as evidence
    where evidence.organization = $organization and evidence.pull_request_id = $pull_request_id and evidence.profile = $profile
        and evidence.outcome <> 'holds'
),
-- one row: what ran and was posted on the pull request
seen as (
    select string_agg(concat('"', name, '"'), ', ' order by name) as names
    from (
        select coalesce(nullif(pipeline_name, ''), cast(pipeline_id as varchar)) as name
        from pull_request_runs
        where organization = $organization and pull_request_id = $pull_request_id
        union
        select concat_ws('/', nullif(genre, ''), name) as name
        from pull_request_statuses
        where organization = $organization and pull_request_id = $pull_request_id
    ) as names
)
select
    verdicts.check_id, 'flip' as effect, cast(null as timestamp) as at, cast(lacking.solution_index as bigint) as step, 'solution' as kind,
    concat(
        case
            when lacking.require = 'all' and lacking.position > 1 then 'and '
            when lacking.position > 1 then 'or '
            else ''
        end,
        case lacking.reason_code
            when 'RUN_FAILED' then concat(
                'run ', cast(lacking.piece['id'] as varchar), ' of ', lacking.piece['name'], ' succeeding, or a later one that succeeds on ',
                code.the_code, ' at or before ', code.the_merge
            )
            when 'RUN_CANCELED' then concat(
                'run ', cast(lacking.piece['id'] as varchar), ' of ', lacking.piece['name'], ' not canceled, or a later one that succeeds on ',
                code.the_code, ' at or before ', code.the_merge
            )
            when 'RUN_PARTIALLY_SUCCEEDED' then concat(
                'a run of ', lacking.piece['name'], ' that succeeds in full on ', code.the_code, ' at or before ', code.the_merge,
                ', or `accept-partially-succeeded = true` for the repository'
            )
            when 'JOB_FAILED' then concat(lacking.piece['name'], ' succeeding in a run on ', code.the_code, ' at or before ', code.the_merge)
            when 'JOB_SKIPPED' then concat(lacking.piece['name'], ' run and not skipped, on ', code.the_code, ' at or before ', code.the_merge)
            when 'JOB_WITH_ISSUES' then concat(lacking.piece['name'], ' succeeding without issues, on ', code.the_code, ' at or before ', code.the_merge)
            when 'JOB_NOT_FOUND' then concat('a job that fits `', lacking.solution, '` in run ', cast(lacking.piece['id'] as varchar), ', or a solution that names a job of it')
            when 'STATUS_FAILED' then concat('status ', lacking.piece['name'], ' posted as succeeded after it, for ', code.the_code, ', at or before ', code.the_merge)
            when 'STATUS_PENDING' then concat('status ', lacking.piece['name'], ' brought to succeeded for ', code.the_code, ' at or before ', code.the_merge)
            when 'STATUS_AFTER_MERGE' then concat('status ', lacking.piece['name'], ' posted as succeeded at or before ', code.the_merge)
            when 'STALE_STATUS' then concat('status ', lacking.piece['name'], ' posted as succeeded for ', code.the_code, ' at or before ', code.the_merge)
            when 'RUN_NOT_FINISHED' then concat(
                'run ', cast(lacking.piece['id'] as varchar), ' of ', lacking.piece['name'], ' finished as succeeded at or before ', code.the_merge
            )
            when 'RUN_AFTER_MERGE' then concat(
                'run ', cast(lacking.piece['id'] as varchar), ' of ', lacking.piece['name'], ' succeeding at or before ', code.the_merge,
                ', which did not wait for it'
            )
            when 'STALE_RUN' then concat('a run of ', coalesce(lacking.piece['name'], lacking.solution), ' that succeeds on ', code.the_code, ' at or before ', code.the_merge)
            when 'AMBIGUOUS_SOLUTION' then concat('a solution that names the folder, or the id, in place of `', lacking.solution, '`')
            when 'COMMIT_UNPROVEN' then concat('a run of ', lacking.piece['name'], ' that says that it built ', code.the_code)
            when 'EVIDENCE_EXPIRED' then concat('what fits `', lacking.solution, '` read before Azure DevOps purged it')
            when 'EVIDENCE_UNREADABLE' then concat('what `', lacking.solution, '` needs read up to the merge, if it then shows a success')
            when 'PATHS_NOT_TOUCHED' then concat('it would be judged if a changed path fitted the `paths` of `', lacking.solution, '`')
            when 'STATUS_NOT_APPLICABLE' then concat('it would be judged if status ', lacking.piece['name'], ' were posted with another state')
            when 'POLICY_NOT_APPLICABLE' then concat('it would be judged if the branch policy for ', lacking.piece['name'], ' applied to the change')
            else concat(
                case
                    when lacking.selector = 'status' then concat('a status that fits `', lacking.solution, '`, posted as succeeded for ')
                    when lacking.selector = 'job' then concat('a run with a job that fits `', lacking.solution, '` and succeeds on ')
                    when verdicts.flags like '%NON\_PR\_RUN%' then concat('a run that fits `', lacking.solution, '`, started by the pull request (build validation), that succeeds on ')
                    when lacking.selector = 'pipeline' then concat('a run that fits `', lacking.solution, '` and succeeds on ')
                    else concat('a run or status that fits `', lacking.solution, '` and succeeds on ')
                end,
                code.the_code, ', at or before ', code.the_merge
            )
        end
    ) as fact,
    cast(null as varchar) as why, lacking.solution as id, cast(null as varchar) as url
from verdicts
cross join code
join lacking on lacking.kind = verdicts.kind
-- of solutions that are all required, the one that does not apply is not lacking
where verdicts.status = 'not_applicable' or lacking.outcome <> 'not_applicable'
union all
select
    verdicts.check_id, 'flip' as effect, null as at, 0 as step, 'setting' as kind,
    case
        when verdicts.pull_request_id is null then '`production-branches` set for the repository: then its pull requests are judged one by one'
        when seen.names is null then concat('`', verdicts.key, '` set for the repository, and a run or status that fits it')
        else concat('`', verdicts.key, '` set to what proves it, if that succeeded; on this pull request there were ', seen.names)
    end as fact,
    null as why, verdicts.key as id, null as url
from verdicts
cross join seen
where verdicts.reason_code = 'NOT_CONFIGURED'
