-- id: exemption_facts
-- title: Emergency labels and exceptions of a pull request
-- about: pull_request
-- checks: pull_request_approved, pull_request_dependency_check_passed, pull_request_integration_tests_passed, pull_request_sast_passed
-- grain: one row per verdict and emergency label, and per exception that concerns it
-- reads: explained_verdicts, merged_pull_requests, pull_request_labels, pull_request_exemptions
-- params: organization text; repository_id text; pull_request_id bigint; profile text

with
verdicts as (select * from explained_verdicts where pull_request_id = $pull_request_id),
-- one row: the pull request
merged as (select * from merged_pull_requests where organization = $organization and pull_request_id = $pull_request_id),
exemptions as (
    select *, case when $profile = 'strict' then exemption_strict else exemption_standard end as exemption
    from pull_request_exemptions
    where organization = $organization and repository_id = $repository_id and pull_request_id = $pull_request_id
),
-- one row per label with the name of the emergency label
labels as (
    select
        labels.*, merged.merged_at, merged.last_seen_open_at, merged.emergency_label,
        coalesce(labels.was_seen_open, false) as is_seen_open,
        coalesce(labels.was_seen_closed, false) as is_seen_closed,
        labels.removed_at is null and coalesce(labels.was_removed_open, false) as is_put_on_again
    from pull_request_labels as labels
    join merged
        on merged.organization = labels.organization
        and merged.repository_id = labels.repository_id
        and merged.pull_request_id = labels.pull_request_id
        and lower(trim(merged.emergency_label)) = lower(trim(labels.name))
),
-- one row per check and label
labelled as (
    select
        verdicts.check_id, labels.*,
        coalesce(exemptions.exemption = 'EMERGENCY_LABEL', false) as is_exempting,
        coalesce(exemptions.exemption = 'EXCEPTION', false) as is_excepted
    from verdicts
    cross join labels
    left join exemptions on exemptions.check_id = verdicts.check_id
)
select
    check_id,
    case when is_exempting then 'counts' else 'ignored' end as effect,
    first_seen_at as at, 7 as step, 'label' as kind,
    concat('label ', name, ' was first listed, the pull request being ', case when is_seen_open then 'active' else 'merged' end) as fact,
    case
        when not active then 'the label is not active'
        when is_exempting and is_put_on_again then 'the emergency label, taken off before the merge and put on again after it'
        when is_exempting and is_seen_open then 'the emergency label, seen before the merge'
        when is_exempting then 'the emergency label; nothing shows that it was there before the merge'
        when is_excepted then 'an exception comes first'
        when removed_at is not null and coalesce(was_removed_open, true) then 'taken off before the merge'
        when removed_at is not null then 'put on and taken off after the merge'
        when is_put_on_again then 'taken off before the merge and put on again after it, which strict does not take'
        else 'not seen before the merge, which strict demands'
    end as why,
    name as id, cast(null as varchar) as url
from labelled
union all
select
    check_id,
    case when is_exempting then 'context' else 'ignored' end as effect,
    removed_at as at, 7 as step, 'label' as kind,
    concat('label ', name, ' was no longer listed') as fact,
    case
        when was_removed_open then 'the pull request was still active'
        when is_seen_closed then 'after the merge, where it had been seen before'
        else 'between the last time the pull request was seen active and the first time after the merge'
    end as why,
    name as id, null as url
from labelled
where removed_at is not null
union all
select
    verdicts.check_id,
    case when exemptions.exemption = 'EXCEPTION' then 'counts' else 'ignored' end as effect,
    null as at, 8 as step, 'exception' as kind,
    concat(
        'exception ', exemptions.exception_pattern, ': ', exemptions.exception_reason,
        coalesce(', approved by ' || exemptions.exception_approved_by, '')
    ) as fact,
    case
        when exemptions.exemption = 'EXCEPTION' then concat('it covers merges until ', cast(exemptions.exception_expires_on as varchar))
        else concat('it had expired: it covers merges until ', cast(exemptions.exception_expires_on as varchar))
    end as why,
    exemptions.exception_pattern as id,
    case when starts_with(exemptions.exception_evidence, 'http') then exemptions.exception_evidence end as url
from verdicts
join exemptions on exemptions.check_id = verdicts.check_id
where exemptions.exception_pattern is not null
