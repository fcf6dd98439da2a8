-- id: pull_request_approved
-- title: Every merged pull request has an independent approval
-- severity: high
-- controls: SOC2 CC8.1; ISO27001 A.8.32; PCI-DSS 6.2.3; SLSA Source L4
-- reads: merged_pull_requests, pull_request_approvals, pull_request_exemptions, pull_request_iterations, settings_in_force, production_branches_in_force, repositories
-- params: start_at timestamp; period_from timestamp; period_to timestamp; as_of timestamp; profile text
-- slices: by repository
-- rationale: A change that one person can merge alone can carry a mistake or an attack unseen.
-- remediation: Require a reviewer other than the author before completing, and a new review after every push.

with
-- inputs
merged as (
    select * from merged_pull_requests
    where merged_at >= greatest($start_at, $period_from) and merged_at <= least($period_to, $as_of)
),
approvals as (
    select *, case when $profile = 'strict' then miss_strict else miss_standard end as miss
    from pull_request_approvals
    where merged_at >= greatest($start_at, $period_from) and merged_at <= least($period_to, $as_of)
),
exemptions as (
    select *, case when $profile = 'strict' then exemption_strict else exemption_standard end as exemption
    from pull_request_exemptions
    where check_id = 'pull_request_approved'
),
-- one row per approval, with the rank of the reason why it does not count: the lowest one of a pull request is its reason
ranked as (
    select
        approvals.*,
        case miss
            when 'VOTE_TIME_UNPROVEN' then 1
            when 'IDENTITY_UNPROVEN' then 2
            when 'LATE_APPROVAL' then 3
            when 'APPROVAL_RESET' then 4
            when 'STALE_APPROVAL' then 5
            when 'RETARGETED_AFTER_APPROVAL' then 6
            when 'APPROVER_CONTRIBUTED' then 7
            when 'REVIEWER_REMOVED' then 8
            when 'NON_HUMAN_APPROVER' then 9
            when 'SELF_APPROVED' then 10
            when 'NO_APPROVAL' then 11
        end as miss_rank
    from approvals
),
-- one row per pull request that somebody approved at some time or voted against at the merge
counted as (
    select
        approvals.organization, approvals.pull_request_id,
        count(*) filter (where approvals.miss is null) as approval_count,
        min(approvals.miss_rank) as miss_rank,
        bool_or(approvals.is_downvote) as has_downvote,
        bool_and(approvals.is_vote_time_unproven) filter (where approvals.miss is null) as is_vote_time_unproven,
        bool_and(approvals.is_identity_unproven) filter (where approvals.miss is null) as is_identity_unproven,
        bool_and(approvals.is_reviewer_removed) filter (where approvals.miss is null) as is_reviewer_removed,
        bool_and(approvals.is_stale) filter (where approvals.miss is null) as is_stale,
        bool_and(approvals.is_contributor) filter (where approvals.miss is null) as is_contributor,
        bool_and(approvals.is_retargeted) filter (where approvals.miss is null) as is_retargeted,
        bool_and(approvals.is_guest) filter (where approvals.miss is null) as is_guest,
        array_sort(array_agg(named_struct(
            'id', approvals.person_id,
            'name', approvals.display_name,
            'unique_name', approvals.unique_name,
            'vote', approvals.vote,
            'voted_at', approvals.voted_at,
            'counts', approvals.miss is null,
            'miss', approvals.miss
        ))) as votes
    from ranked as approvals
    group by approvals.organization, approvals.pull_request_id
),
-- one row per pull request: its last iteration that is more than a retarget
last_iterations as (
    select organization, pull_request_id, max(iteration_id) as iteration_id
    from pull_request_iterations
    where lower(coalesce(reason, '')) <> 'retarget'
    group by organization, pull_request_id
),
-- one row per pull request: who pushed last
last_pushers as (
    select iterations.organization, iterations.pull_request_id, iterations.pushed_by_id, iterations.pushed_by_unique_name, iterations.at as pushed_at
    from pull_request_iterations as iterations
    join last_iterations
        on last_iterations.organization = iterations.organization
        and last_iterations.pull_request_id = iterations.pull_request_id
        and last_iterations.iteration_id = iterations.iteration_id
),
-- one row per pull request: the verdict by the votes alone
judged as (
    select
        merged.*,
        counted.votes, counted.approval_count,
        coalesce(counted.has_downvote, false) as has_downvote,
        counted.is_vote_time_unproven, counted.is_identity_unproven, counted.is_reviewer_removed, counted.is_stale,
        counted.is_contributor, counted.is_retargeted, counted.is_guest,
        last_pushers.pushed_by_id, last_pushers.pushed_by_unique_name, last_pushers.pushed_at,
        case
            when coalesce(merged.threads_read_at < merged.merged_at, true)
                or coalesce(merged.iterations_read_at < merged.merged_at, true) then 'EVIDENCE_UNREADABLE'
            when $profile = 'strict' and merged.is_merged_externally then 'MERGED_EXTERNALLY'
            when counted.approval_count > 0 then 'APPROVED'
            else case counted.miss_rank
                when 1 then 'VOTE_TIME_UNPROVEN'
                when 2 then 'IDENTITY_UNPROVEN'
                when 3 then 'LATE_APPROVAL'
                when 4 then 'APPROVAL_RESET'
                when 5 then 'STALE_APPROVAL'
                when 6 then 'RETARGETED_AFTER_APPROVAL'
                when 7 then 'APPROVER_CONTRIBUTED'
                when 8 then 'REVIEWER_REMOVED'
                when 9 then 'NON_HUMAN_APPROVER'
                when 10 then 'SELF_APPROVED'
                else 'NO_APPROVAL'
            end
        end as judged_code
    from merged
    left join counted
        on counted.organization = merged.organization
        and counted.pull_request_id = merged.pull_request_id
    left join last_pushers
        on last_pushers.organization = merged.organization
        and last_pushers.pull_request_id = merged.pull_request_id
),
-- one row per pull request: the verdict and its flags, before exemptions
flagged as (
    select
        judged.*,
        case
            when judged_code = 'APPROVED' then 'pass'
            when judged_code in ('EVIDENCE_UNREADABLE', 'VOTE_TIME_UNPROVEN', 'IDENTITY_UNPROVEN') then 'unknown'
            else 'fail'
        end as judged_status,
        case judged_code
            when 'APPROVED' then 'An independent person approved before the merge.'
            when 'EVIDENCE_UNREADABLE' then 'The threads or iterations of the pull request were not read after the merge.'
            when 'MERGED_EXTERNALLY' then 'Azure DevOps did not complete the pull request: its commits reached the branch by another way.'
            when 'VOTE_TIME_UNPROVEN' then 'An approval stands in the reviewer list, but nothing shows that it was cast before the merge.'
            when 'IDENTITY_UNPROVEN' then 'An approval stands, but nothing shows whose identity cast it.'
            when 'LATE_APPROVAL' then 'The only approval was cast after the merge.'
            when 'APPROVAL_RESET' then 'An approval was reset by a push or taken back before the merge and not given again.'
            when 'STALE_APPROVAL' then 'The code changed after the last approval.'
            when 'RETARGETED_AFTER_APPROVAL' then 'The pull request was moved onto the production branch after the last approval.'
            when 'APPROVER_CONTRIBUTED' then 'The approver pushed or wrote a part of the change.'
            when 'REVIEWER_REMOVED' then 'The approver is no longer in the reviewer list.'
            when 'NON_HUMAN_APPROVER' then 'Only a service identity approved.'
            when 'SELF_APPROVED' then 'Only the creator of the pull request approved it.'
            else 'No independent person approved before the merge.'
        end as judged_reason,
        concat_ws(',',
            case when judged_code = 'APPROVED' and is_contributor then 'APPROVER_CONTRIBUTED' end,
            case when has_downvote then 'DOWNVOTE_AT_MERGE' end
        ) as flags_before_expired,
        concat_ws(',',
            case when judged_code = 'APPROVED' and is_guest then 'GUEST_APPROVER' end,
            case when judged_code = 'APPROVED' and is_identity_unproven then 'IDENTITY_UNPROVEN' end,
            case when is_merged_externally then 'MERGED_EXTERNALLY' end,
            case when is_policy_bypassed then 'POLICY_BYPASSED' end,
            case when judged_code = 'APPROVED' and is_retargeted then 'RETARGETED_AFTER_APPROVAL' end,
            case when judged_code = 'APPROVED' and is_reviewer_removed then 'REVIEWER_REMOVED' end,
            case when judged_code = 'APPROVED' and is_stale then 'STALE_APPROVAL' end,
            case when judged_code = 'APPROVED' and is_vote_time_unproven then 'VOTE_TIME_UNPROVEN' end
        ) as flags_after_expired
    from judged
),
-- one row per pull request: the final verdict
decided as (
    select
        flagged.*, exemptions.exemption, exemptions.is_exception_expired, exemptions.is_label_time_unproven, exemptions.label,
        exemptions.exception_pattern, exemptions.exception_reason, exemptions.exception_approved_by,
        exemptions.exception_evidence, exemptions.exception_evidence_sha256, exemptions.exception_expires_on
    from flagged
    left join exemptions
        on exemptions.organization = flagged.organization
        and exemptions.pull_request_id = flagged.pull_request_id
),
-- one row per pull request
verdicts as (
    select
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
            when exemption is null then concat_ws(',',
                nullif(flags_before_expired, ''),
                case when is_exception_expired then 'EXCEPTION_EXPIRED' end,
                nullif(flags_after_expired, '')
            )
            else concat_ws(',',
                case when is_exception_expired then 'EXCEPTION_EXPIRED' end,
                case when exemption = 'EMERGENCY_LABEL' and is_label_time_unproven then 'LABEL_TIME_UNPROVEN' end
            )
        end as flags,
        to_json(named_struct(
            'would_be', case when exemption is not null then judged_status end,
            'reason_code', judged_code,
            'flags', concat_ws(',', nullif(flags_before_expired, ''), nullif(flags_after_expired, '')),
            'creator', named_struct('id', author_id, 'name', author_name, 'unique_name', author_unique_name),
            'merged_at', merged_at,
            'approval_count', coalesce(approval_count, 0),
            'votes', votes,
            'last_pusher', named_struct('id', pushed_by_id, 'unique_name', pushed_by_unique_name, 'pushed_at', pushed_at),
            'bypass', named_struct(
                'is_bypassed', is_policy_bypassed,
                'by', case when is_policy_bypassed then coalesce(closed_by_unique_name, closed_by_name, closed_by_id) end,
                'reason', bypass_reason
            ),
            'exemption', named_struct(
                'label', label,
                'exception', exception_pattern,
                'reason', exception_reason,
                'approved_by', exception_approved_by,
                'evidence', exception_evidence,
                'evidence_sha256', exception_evidence_sha256,
                'expires_on', exception_expires_on
            ),
            'threads_read_at', threads_read_at,
            'iterations_read_at', iterations_read_at
        )) as evidence_json
    from decided
),
-- one row per repository in scope without a production branch pattern
unconfigured as (
    select
        settings.organization, settings.project, settings.repository_id, settings.repository,
        settings.repository as subject, repositories.web_url as resource_url
    from settings_in_force as settings
    left join repositories
        on repositories.organization = settings.organization and repositories.repository_id = settings.repository_id
    left anti join production_branches_in_force as patterns
        on patterns.organization = settings.organization and patterns.repository_id = settings.repository_id
    where settings.in_scope
)
select
    organization, project, repository_id, repository, branch, pull_request_id,
    subject, resource_url, status, reason_code, reason, flags, evidence_json
from verdicts
union all
select
    organization, project, repository_id, repository, null as branch, null as pull_request_id,
    subject, resource_url, 'fail' as status, 'NOT_CONFIGURED' as reason_code,
    'No production branch is configured for the repository.' as reason, '' as flags,
    to_json(named_struct('production_branches', 'none configured')) as evidence_json
from unconfigured
order by organization, project, repository, branch, pull_request_id, repository_id
