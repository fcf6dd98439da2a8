-- id: evidence_verdicts
-- title: Verdicts of the checks that ask for passed solutions
-- grain: one row per profile, kind of solution and merged pull request, and one per profile, kind and repository in scope without a production branch pattern (pull_request_id null)
-- reads: merged_pull_requests, pull_request_proofs, pull_request_exemptions, settings_in_force, production_branches_in_force, repositories

with
-- inputs
merged as (select * from merged_pull_requests),
-- one row per profile and kind
kinds as (
    select profiles.column1 as profile, kinds.column1 as kind, kinds.column2 as check_id, kinds.column3 as kind_title
    from (values ('standard'), ('strict')) as profiles
    cross join (values
        ('sast', 'pull_request_sast_passed', 'static analysis'),
        ('integration_tests', 'pull_request_integration_tests_passed', 'integration test'),
        ('dependency_checks', 'pull_request_dependency_check_passed', 'dependency check')
    ) as kinds
),
-- one row per profile, kind and pull request
asked as (select kinds.*, merged.* from kinds cross join merged),
-- the same, with what its solutions prove
judged as (
    select
        asked.*, proofs.require, proofs.solutions,
        coalesce(proofs.status, 'fail') as judged_status,
        coalesce(proofs.reason_code, 'NOT_CONFIGURED') as judged_code,
        case
            when proofs.status is null then concat('No ', asked.kind_title, ' solution is configured for the repository.')
            else concat(proofs.reason, '; merged at ', asked.merged_at, '.')
        end as judged_reason,
        concat_ws(
            ',', nullif(proofs.flags, ''),
            case when asked.is_merged_externally then 'MERGED_EXTERNALLY' end
        ) as judged_flags
    from asked
    left join pull_request_proofs as proofs
        on proofs.profile = asked.profile
        and proofs.kind = asked.kind
        and proofs.organization = asked.organization
        and proofs.pull_request_id = asked.pull_request_id
        and proofs.merged_at = asked.merged_at
),
-- the same, with what exempts it
exempted as (
    select
        judged.*,
        exemptions.is_exception_expired, exemptions.is_label_time_unproven, exemptions.label, exemptions.exception_pattern,
        exemptions.exception_reason, exemptions.exception_approved_by, exemptions.exception_evidence,
        exemptions.exception_evidence_sha256, exemptions.exception_expires_on,
        case when judged.profile = 'strict' then exemptions.exemption_strict else exemptions.exemption_standard end as exemption
    from pull_request_exemptions as exemptions
    right join judged
        on judged.check_id = exemptions.check_id
        and judged.organization = exemptions.organization
        and judged.repository_id = exemptions.repository_id
        and judged.pull_request_id = exemptions.pull_request_id
),
-- one row per repository in scope without a production branch pattern
unconfigured as (
    select
        settings.organization, settings.project, settings.repository_id, settings.repository, repositories.web_url
    from settings_in_force as settings
    left join repositories
        on repositories.organization = settings.organization and repositories.repository_id = settings.repository_id
    left anti join production_branches_in_force as patterns
        on patterns.organization = settings.organization and patterns.repository_id = settings.repository_id
    where settings.in_scope
)
select
    profile, kind, merged_at,
    organization, project, repository_id, repository, branch, pull_request_id,
    title as subject,
    web_url as resource_url,
    case when exemption is null then judged_status else 'exempt' end as status,
    coalesce(exemption, judged_code) as reason_code,
    case exemption
        when 'EXCEPTION' then concat('A registered exception covers it: ', exception_reason, '.')
        when 'EMERGENCY_LABEL' then concat('It carries the emergency label ', label, '.')
        else judged_reason
    end as reason,
    case
        when exemption is not null then concat_ws(
            ',',
            case when is_exception_expired then 'EXCEPTION_EXPIRED' end,
            case when exemption = 'EMERGENCY_LABEL' and is_label_time_unproven then 'LABEL_TIME_UNPROVEN' end
        )
        when judged_flags <> '' and (is_exception_expired or is_merged_externally) then array_to_string(
            array_sort(string_to_array(concat_ws(',', judged_flags, case when is_exception_expired then 'EXCEPTION_EXPIRED' end), ',')),
            ','
        )
        when is_exception_expired then 'EXCEPTION_EXPIRED'
        else judged_flags
    end as flags,
    to_json(named_struct(
        'would_be', case when exemption is not null then judged_status end,
        'reason_code', judged_code,
        'flags', judged_flags,
        'merged_at', merged_at,
        'source_commit', source_commit,
        'require', require,
        'solutions', solutions,
        'exemption', case when exemption is not null or is_exception_expired then named_struct(
            'label', label,
            'exception', exception_pattern,
            'reason', exception_reason,
            'approved_by', exception_approved_by,
            'evidence', exception_evidence,
            'evidence_sha256', exception_evidence_sha256,
            'expires_on', exception_expires_on
        ) end
    )) as evidence_json
from exempted
union all
select
    kinds.profile, kinds.kind, null as merged_at,
    unconfigured.organization, unconfigured.project, unconfigured.repository_id, unconfigured.repository,
    null as branch, null as pull_request_id,
    unconfigured.repository as subject, unconfigured.web_url as resource_url,
    'fail' as status, 'NOT_CONFIGURED' as reason_code,
    'No production branch is configured for the repository.' as reason, '' as flags,
    to_json(named_struct('production_branches', 'none configured')) as evidence_json
from unconfigured
cross join kinds
