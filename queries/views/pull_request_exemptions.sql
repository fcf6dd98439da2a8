-- id: pull_request_exemptions
-- title: Exceptions and emergency labels of merged pull requests
-- grain: one row per pull request and check of pull requests that an exception, in time or too late, or an emergency label concerns; a pull request that nothing concerns has no row
-- reads: pull_requests, settings_in_force, exceptions_in_force, pull_request_labels
-- holds: repository_exceptions

-- How the checks of pull requests use it, all alike: join merged_pull_requests on organization, pull_request_id and check_id.
-- exemption_standard and exemption_strict are the reason code under that profile (EXCEPTION, else EMERGENCY_LABEL), null = judge.
-- An exempt row has the flags EXCEPTION_EXPIRED (where is_exception_expired) and LABEL_TIME_UNPROVEN (where exempt by label and
-- is_label_time_unproven), nothing else; the flags of judging stand in evidence_json.flags, its status in evidence_json.would_be.
-- A judged row has the flags of judging and EXCEPTION_EXPIRED (where is_exception_expired). MERGED_EXTERNALLY is a flag of judging.
with
-- inputs
completed as (
    select organization, repository_id, pull_request_id, closed_at
    from pull_requests
    where status = 'completed' and closed_at is not null
),
registered as (select * from exceptions_in_force where pull_request_pattern is not null),
-- one row per check of pull requests
judging_checks as (
    select column1 as check_id
    from (values
        ('pull_request_approved'),
        ('pull_request_sast_passed'),
        ('pull_request_integration_tests_passed'),
        ('pull_request_dependency_check_passed')
    )
),
-- one row per exception and repository that it names; number is null where the pull request is given by a glob
repository_exceptions as (
    select
        settings.organization, settings.repository_id, registered.exception_index, registered.pull_request_pattern,
        try_cast(registered.pull_request_pattern as bigint) as number, registered.expires_before
    from settings_in_force as settings
    join registered
        on registered.organization = settings.organization
        and glob_match(
            lower(registered.repository_pattern),
            lower(concat(settings.organization, '/', settings.project, '/', settings.repository))
        )
),
-- one row per pull request and exception that names it
matching_exceptions as (
    select
        completed.organization, completed.repository_id, completed.pull_request_id, named.exception_index,
        completed.closed_at < named.expires_before as is_in_time
    from completed
    join repository_exceptions as named
        on named.organization = completed.organization
        and named.repository_id = completed.repository_id
        and named.number = completed.pull_request_id
    union all
    select
        completed.organization, completed.repository_id, completed.pull_request_id, named.exception_index,
        completed.closed_at < named.expires_before as is_in_time
    from completed
    join repository_exceptions as named
        on named.organization = completed.organization
        and named.repository_id = completed.repository_id
        and named.number is null
        and glob_match(named.pull_request_pattern, cast(completed.pull_request_id as varchar))
),
-- one row per pull request and check with an exception: the first one in time, else the first that came too late
decided_exceptions as (
    select
        matching_exceptions.organization, matching_exceptions.repository_id, matching_exceptions.pull_request_id, judging_checks.check_id,
        bool_or(matching_exceptions.is_in_time) as is_in_time,
        coalesce(
            min(matching_exceptions.exception_index) filter (where matching_exceptions.is_in_time),
            min(matching_exceptions.exception_index)
        ) as exception_index
    from matching_exceptions
    join registered
        on registered.organization = matching_exceptions.organization
        and registered.exception_index = matching_exceptions.exception_index
    cross join judging_checks
    where strpos(registered.checks_json, concat('"', judging_checks.check_id, '"')) > 0
    group by
        matching_exceptions.organization, matching_exceptions.repository_id, matching_exceptions.pull_request_id, judging_checks.check_id
),
-- one row per label with the name of an emergency label, whatever became of it
emergency_labels as (
    select
        labels.organization, labels.repository_id, labels.pull_request_id, labels.name,
        -- what was taken off while open and is listed again after the merge was put on after it
        coalesce(labels.was_seen_open and not (labels.removed_at is null and coalesce(labels.was_removed_open, false)), false) as is_seen_before_merge,
        coalesce(labels.was_seen_closed, false) as is_seen_after_merge,
        labels.removed_at is not null as is_removed,
        labels.removed_at is not null and coalesce(labels.was_removed_open, true) as is_removed_before_merge
    from pull_request_labels as labels
    join settings_in_force as settings
        on settings.organization = labels.organization
        and settings.repository_id = labels.repository_id
        and lower(trim(settings.emergency_label)) = lower(trim(labels.name))
    where labels.active
),
-- one row per pull request with an emergency label that exempts it under one profile at least
decided_labels as (
    select
        organization, repository_id, pull_request_id,
        min(name) as label,
        bool_or(is_seen_before_merge) as is_exempt_strictly,
        bool_and(not is_seen_before_merge or (is_removed and not is_seen_after_merge)) as is_label_time_unproven
    from emergency_labels
    where not is_removed_before_merge and (is_seen_before_merge or not is_removed)
    group by organization, repository_id, pull_request_id
),
-- one row per pull request and check that an exception or a label concerns
concerned as (
    select
        coalesce(decided_exceptions.organization, labelled.organization) as organization,
        coalesce(decided_exceptions.repository_id, labelled.repository_id) as repository_id,
        coalesce(decided_exceptions.pull_request_id, labelled.pull_request_id) as pull_request_id,
        coalesce(decided_exceptions.check_id, labelled.check_id) as check_id,
        decided_exceptions.exception_index,
        coalesce(decided_exceptions.is_in_time, false) as is_excepted,
        coalesce(not decided_exceptions.is_in_time, false) as is_exception_expired,
        labelled.label,
        labelled.label is not null as is_labelled,
        coalesce(labelled.is_exempt_strictly, false) as is_labelled_strictly,
        coalesce(labelled.is_label_time_unproven, false) as is_label_time_unproven
    from decided_exceptions
    full join (select * from decided_labels cross join judging_checks) as labelled
        on labelled.organization = decided_exceptions.organization
        and labelled.repository_id = decided_exceptions.repository_id
        and labelled.pull_request_id = decided_exceptions.pull_request_id
        and labelled.check_id = decided_exceptions.check_id
)
select
    concerned.organization,
    concerned.repository_id,
    concerned.pull_request_id,
    concerned.check_id,
    case when concerned.is_excepted then 'EXCEPTION' when concerned.is_labelled then 'EMERGENCY_LABEL' end as exemption_standard,
    case when concerned.is_excepted then 'EXCEPTION' when concerned.is_labelled_strictly then 'EMERGENCY_LABEL' end as exemption_strict,
    concerned.is_exception_expired,
    concerned.is_label_time_unproven,
    concerned.label,
    registered.pattern as exception_pattern,
    registered.reason as exception_reason,
    registered.approved_by as exception_approved_by,
    registered.evidence as exception_evidence,
    registered.evidence_sha256 as exception_evidence_sha256,
    registered.expires_on as exception_expires_on
from concerned
left join registered
    on registered.organization = concerned.organization
    and registered.exception_index = concerned.exception_index
