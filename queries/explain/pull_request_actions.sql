-- id: pull_request_actions
-- title: What can be done about a verdict on a pull request now, and what it would be without what exempts it
-- about: pull_request
-- checks: pull_request_approved, pull_request_dependency_check_passed, pull_request_integration_tests_passed, pull_request_sast_passed
-- grain: one row per verdict that fails, is unknown or exempt
-- reads: explained_verdicts, repositories

with
verdicts as (
    select
        explained.*,
        concat(explained.organization, '/', explained.project, '/', explained.repository) as repository_path,
        coalesce(repositories.is_disabled, false) or repositories.deleted_at is not null as is_out_of_reach
    from explained_verdicts as explained
    left join repositories
        on repositories.organization = explained.organization and repositories.repository_id = explained.repository_id
    where explained.check_id in (
        'pull_request_approved', 'pull_request_sast_passed', 'pull_request_integration_tests_passed',
        'pull_request_dependency_check_passed'
    )
)
select
    check_id, 'now' as effect, cast(null as timestamp) as at, 0 as step, 'action' as kind,
    case
        when reason_code = 'NOT_CONFIGURED' and pull_request_id is not null then concat(
            'in `adolake.toml`: `[[repository]]` with `match = "', repository_path, '"` and ',
            case check_id
                when 'pull_request_sast_passed' then '`sast`'
                when 'pull_request_integration_tests_passed' then '`integration-tests`'
                else '`dependency-checks`'
            end,
            '; then `adolake check`'
        )
        when reason_code = 'NOT_CONFIGURED' then concat(
            'in `adolake.toml`: `[[repository]]` with `match = "', repository_path, '"` and the right `production-branches`, or `in-scope = false`'
        )
        when reason_code = 'AMBIGUOUS_SOLUTION' then 'write the folder into the solution, as in `folder/name`, and check again; nothing else has to happen'
        when reason_code = 'EVIDENCE_UNREADABLE' and is_out_of_reach then concat(
            'the repository is disabled or deleted: what is missing can be read only once it is there again; else keep other proof as `evidence` of an `[[exception]]` that matches `',
            repository_path, '!', cast(pull_request_id as varchar), '`'
        )
        when reason_code = 'EVIDENCE_UNREADABLE' then '`adolake sync` tries again; where it stays so, `adolake doctor` tells which permission is missing'
        when reason_code = 'EVIDENCE_EXPIRED' then concat(
            'it cannot be read any more: keep other proof as `evidence` of an `[[exception]]` that matches `', repository_path, '!',
            cast(pull_request_id as varchar), '`, and sync more often than runs are kept'
        )
        else concat(
            'what happened cannot be changed; it is accepted by an `[[exception]]` with `match = "', repository_path, '!',
            cast(pull_request_id as varchar), '"` and `checks = ["', check_id, '"]`, a reason and who approved it'
        )
    end as fact,
    cast(null as varchar) as why, cast(null as varchar) as id, cast(null as varchar) as url
from verdicts
where status in ('fail', 'unknown')
union all
select
    check_id, 'flip' as effect, null as at, 0 as step, 'exemption' as kind,
    concat(
        'without that it would be ', regexp_replace(evidence_json, '^.*"would_be":"([a-z_]*)".*$', '$1'),
        ' ', regexp_replace(evidence_json, '^\{"would_be":"[a-z_]*","reason_code":"([A-Z_]*)".*$', '$1')
    ) as fact,
    null as why, null as id, null as url
from verdicts
where status = 'exempt' and starts_with(evidence_json, '{"would_be":"')
