-- id: status_facts
-- title: Statuses posted to a pull request, and what each proved
-- about: pull_request
-- checks: pull_request_dependency_check_passed, pull_request_integration_tests_passed, pull_request_sast_passed
-- grain: one row per verdict, status, and solution that it fits
-- reads: explained_verdicts, final_code, pull_request_statuses, solution_statuses, solution_selectors, pull_request_evidence
-- params: organization text; repository_id text; pull_request_id bigint; profile text

with
-- one row per verdict that is about solutions
verdicts as (
    select
        verdicts.check_id, kinds.kind,
        verdicts.reason_code in ('NOT_RUN', 'NOT_CONFIGURED', 'EVIDENCE_EXPIRED', 'EVIDENCE_UNREADABLE') as is_lacking
    from explained_verdicts as verdicts
    join (values
        ('pull_request_sast_passed', 'sast'),
        ('pull_request_integration_tests_passed', 'integration_tests'),
        ('pull_request_dependency_check_passed', 'dependency_checks')
    ) as kinds (check_id, kind) on kinds.check_id = verdicts.check_id
    where verdicts.pull_request_id = $pull_request_id
),
code as (select * from final_code where organization = $organization and pull_request_id = $pull_request_id),
-- one row per solution, genre and name: the status that speaks for it, and what it proves
pieces as (
    select kind, solution_index, piece['id'] as status_id, piece['outcome'] as outcome, piece['phrase'] as phrase
    from (
        select kind, solution_index, unnest(statuses) as piece
        from pull_request_evidence
        where organization = $organization and pull_request_id = $pull_request_id and profile = $profile and statuses is not null
    ) as unpacked
    where piece['what'] = 'status'
),
-- one row per kind: its solutions that may be statuses
solutions as (
    select kind, string_agg(concat('`', solution, '`'), ', ' order by solution_index) as solutions
    from solution_selectors
    where organization = $organization and repository_id = $repository_id and selector in ('any', 'status')
    group by kind
),
statuses as (
    select *, concat(coalesce(genre, ''), case when coalesce(genre, '') <> '' then '/' else '' end, name) as full_name
    from pull_request_statuses
    where organization = $organization and pull_request_id = $pull_request_id
),
-- one row per verdict, status and solution that it fits; null where it fits none
fitted as (
    select
        verdicts.check_id, verdicts.kind, verdicts.is_lacking, statuses.*, fits.solution_index, pieces.outcome, pieces.phrase, solutions.solutions
    from verdicts
    cross join statuses
    left join solutions on solutions.kind = verdicts.kind
    left join solution_statuses as fits
        on fits.organization = statuses.organization
        and fits.repository_id = statuses.repository_id
        and fits.kind = verdicts.kind
        and fits.genre = coalesce(statuses.genre, '')
        and fits.name = statuses.name
    left join pieces
        on pieces.kind = fits.kind and pieces.solution_index = fits.solution_index and pieces.status_id = statuses.status_id
)
select
    fitted.check_id,
    case
        when fitted.solution_index is null then 'ignored'
        when fitted.outcome in ('holds', 'not_applicable') then 'counts'
        when fitted.outcome = 'fails' then 'against'
        else 'ignored'
    end as effect,
    fitted.created_at as at, 5 as step, 'status' as kind,
    concat(
        'status ', fitted.full_name, ' was posted as ', fitted.state,
        case when fitted.iteration_id is not null then concat(' for iteration ', cast(fitted.iteration_id as varchar)) else '' end
    ) as fact,
    case
        when fitted.solution_index is null then concat('fits none of the solutions ', fitted.solutions)
        when fitted.removed_at <= code.merged_at then 'removed again before the merge'
        when fitted.created_at > code.merged_at then 'posted only after the merge'
        when fitted.iteration_id is not null and fitted.iteration_id <> code.last_iteration_id then concat(
            'for older code, the last iteration is ', cast(code.last_iteration_id as varchar)
        )
        when fitted.iteration_id is null and coalesce(fitted.created_at <= code.last_push_at, true) then 'for no iteration, and posted before the last push'
        when fitted.outcome is null then 'a later status of that name decides'
        when fitted.outcome = 'holds' then 'the final code'
        when fitted.outcome = 'not_applicable' then 'for the final code, the demand does not apply'
    end as why,
    cast(fitted.status_id as varchar) as id, fitted.target_url as url
from fitted
cross join code
-- what else was posted is told only where something is missing that a status could be
where fitted.solution_index is not null or (fitted.is_lacking and fitted.solutions is not null)
