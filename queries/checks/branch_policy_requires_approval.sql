-- id: branch_policy_requires_approval
-- title: Every production branch demands an approval before a merge
-- severity: high
-- controls: SOC2 CC8.1; ISO27001 A.8.32; PCI-DSS 6.2.3; SLSA Source L4
-- reads: production_branches_existing, effective_branch_policies, policy_intervals, settings_in_force, production_branches_in_force, repositories, used_branches, pushed_branches, sync_runs
-- params: start_at timestamp; period_from timestamp; period_to timestamp; as_of timestamp; profile text
-- holds: scoped_repositories, last_readings, fitted_patterns, summed_policies, summed_intervals
-- rationale: Without a blocking policy, review is a habit that anyone can skip.
-- remediation: Add a blocking minimum reviewers policy to the branch, with at least one approver and without the creator's vote; for strict also reset votes on push and block the last pusher.

with
-- inputs
branches as (select * from production_branches_existing),
scoped_repositories as (
    select
        settings.organization, settings.project_id, settings.project, settings.repository_id, settings.repository,
        repositories.web_url, repositories.default_branch,
        coalesce(repositories.is_disabled, false)
            or repositories.deleted_at is not null
            or (repositories.last_visible_at is not null and settings.gone_since is not null) as is_gone
    from settings_in_force as settings
    left join repositories
        on repositories.organization = settings.organization and repositories.repository_id = settings.repository_id
    where settings.in_scope
),
policies as (
    select *, case when $profile = 'strict' then is_satisfying_strictly else is_satisfying end as is_enough
    from effective_branch_policies
),
intervals as (
    select
        organization, repository_id, branch, from_at, to_at,
        case when $profile = 'strict' then is_satisfied_strictly else is_satisfied end as is_satisfied,
        case when $profile = 'strict' then may_be_satisfied_strictly else may_be_satisfied end as may_be_satisfied
    from policy_intervals
),
-- one row per project whose policies, and per repository whose branches, were asked for: how the last reading ended
last_readings as (
    select organization, resource, scope, last_value(status order by started_at, window_to, run_id) as status
    from sync_runs
    where resource in ('branch_policies', 'branches') and status <> 'skipped'
    group by organization, resource, scope
),
-- one row per repository and configured pattern: how many branches fit
fitted_patterns as (
    select
        patterns.organization, patterns.repository_id, patterns.pattern, patterns.is_glob,
        count(branches.branch) as fitting_count
    from production_branches_in_force as patterns
    left join branches
        on branches.organization = patterns.organization
        and branches.repository_id = patterns.repository_id
        and glob_match(patterns.pattern, branches.branch)
    group by patterns.organization, patterns.repository_id, patterns.pattern, patterns.is_glob
),
-- one row per repository with patterns: whether one of them is a glob, and whether any fits
configured_repositories as (
    select organization, repository_id, bool_or(is_glob) as has_glob, sum(fitting_count) > 0 as has_fitting
    from fitted_patterns
    group by organization, repository_id
),
-- one row per configured plain name without a branch, and per repository without patterns or whose patterns fit nothing
missing_branches as (
    select organization, repository_id, pattern as branch, concat('The production branch ', pattern, ' does not exist.') as reason
    from fitted_patterns
    where not is_glob and fitting_count = 0
    union all
    select
        scoped_repositories.organization, scoped_repositories.repository_id, null as branch,
        case
            when configured.repository_id is null then 'No production branch is configured for the repository.'
            else 'No branch of the repository fits a production branch pattern.'
        end as reason
    from scoped_repositories
    left join configured_repositories as configured
        on configured.organization = scoped_repositories.organization
        and configured.repository_id = scoped_repositories.repository_id
    where configured.repository_id is null or (configured.has_glob and not configured.has_fitting)
),
-- one row per repository with a pull request
used_repositories as (select organization, repository_id from used_branches group by organization, repository_id),
-- one row per branch that a pull request was completed into
merged_branches as (
    select organization, repository_id, target_ref from used_branches where first_merged_at <= $as_of
),
-- one row per branch with policies: what those say that satisfy, and the rank of the reason why others do not
summed_policies as (
    select
        organization, repository_id, branch,
        coalesce(bool_or(is_satisfying), false) as has_satisfying,
        coalesce(bool_or(is_enough), false) as has_enough,
        coalesce(bool_or(is_satisfying and policy_kind = 'minimum_reviewers' and resets_on_push), false) as has_reset,
        coalesce(bool_or(is_satisfying and blocks_last_pusher), false) as has_pusher_block,
        coalesce(bool_and(creator_vote_counts) filter (where is_satisfying), false) as is_creator_counted,
        bool_or(policy_kind = 'build_validation' and is_enabled and is_blocking) as has_build_validation,
        min(case miss
            when 'CREATOR_CAN_APPROVE' then 1
            when 'NO_APPROVER_REQUIRED' then 2
            when 'POLICY_DISABLED' then 3
            when 'POLICY_NOT_BLOCKING' then 4
        end) as miss_rank,
        first_value(policy_id order by is_satisfying_strictly desc, resets_on_push desc, blocks_last_pusher desc, approver_count desc, policy_id)
            filter (where is_satisfying) as strictest_policy_id,
        array_agg(named_struct(
            'policy_id', policy_id,
            'revision', revision,
            'type', type_name,
            'kind', policy_kind,
            'scope', matches,
            'is_enabled', is_enabled,
            'is_blocking', is_blocking,
            'approvers', approver_count,
            'creator_vote_counts', creator_vote_counts,
            'is_path_filtered', is_path_filtered,
            'resets_on_push', resets_on_push,
            'blocks_last_pusher', blocks_last_pusher,
            'valid_from', valid_from,
            'satisfies', is_enough
        ) order by policy_id) as policies
    from policies
    group by organization, repository_id, branch
),
-- one row per branch that the first push that is known created: since when it exists
creations as (
    select organization, repository_id, ref_name, first_created_at as created_at
    from pushed_branches
    where first_created_at = first_pushed_at and first_pushed_at <= $as_of
),
-- one row per branch: the part of the period in which it existed
periods as (
    select
        branches.organization, branches.repository_id, branches.branch,
        greatest($start_at, $period_from, coalesce(creations.created_at, $start_at)) as from_at,
        least($period_to, $as_of) as to_at
    from branches
    left join creations
        on creations.organization = branches.organization
        and creations.repository_id = branches.repository_id
        and creations.ref_name = branches.ref_name
),
-- one row per branch with policies of approvals: the stretches of the period, and whether all of them were satisfied
summed_intervals as (
    select
        intervals.organization, intervals.repository_id, intervals.branch,
        bool_or(not intervals.may_be_satisfied) as has_gap,
        bool_or(intervals.may_be_satisfied and not intervals.is_satisfied) as has_unproven,
        array_agg(named_struct(
            'from', greatest(intervals.from_at, periods.from_at),
            -- null = held at the end of the period, which moves on with every sync
            'to', case when intervals.to_at < periods.to_at then intervals.to_at end,
            'satisfied', case when intervals.is_satisfied then 'yes' when intervals.may_be_satisfied then 'unproven' else 'no' end
        ) order by intervals.from_at) as intervals
    from intervals
    join periods
        on periods.organization = intervals.organization
        and periods.repository_id = intervals.repository_id
        and periods.branch = intervals.branch
    where periods.from_at < periods.to_at and intervals.from_at < periods.to_at and coalesce(intervals.to_at > periods.from_at, true)
    group by intervals.organization, intervals.repository_id, intervals.branch
),
-- one row per existing branch: the verdict
judged_branches as (
    select
        branches.organization, branches.project, branches.repository_id, branches.repository, branches.branch, branches.web_url,
        case
            when branches.is_gone then 'REPOSITORY_GONE'
            when coalesce(last_readings.status, 'never') <> 'ok' or not branches.is_visible then 'POLICIES_UNREADABLE'
            when not coalesce(summed_policies.has_satisfying, false) then case summed_policies.miss_rank
                when 1 then 'CREATOR_CAN_APPROVE'
                when 2 then 'NO_APPROVER_REQUIRED'
                when 3 then 'POLICY_DISABLED'
                when 4 then 'POLICY_NOT_BLOCKING'
                else 'NO_POLICY'
            end
            when not summed_policies.has_enough and not summed_policies.has_reset then 'NO_RESET_ON_PUSH'
            when not summed_policies.has_enough then 'LAST_PUSHER_MAY_APPROVE'
            when $profile = 'strict' and summed_intervals.has_gap then 'POLICY_GAP'
            when $profile = 'strict' and summed_intervals.has_unproven then 'POLICY_HISTORY_UNPROVEN'
            else 'POLICY_ENFORCED'
        end as reason_code,
        coalesce(summed_policies.has_satisfying, false) as has_satisfying,
        coalesce(summed_policies.is_creator_counted, false) as is_creator_counted,
        coalesce(summed_policies.has_reset, false) as has_reset,
        coalesce(summed_policies.has_pusher_block, false) as has_pusher_block,
        coalesce(summed_policies.has_build_validation, false) as has_build_validation,
        merged_branches.target_ref is not null as has_merged_pull_request,
        coalesce(summed_intervals.has_gap, false) as has_gap,
        coalesce(summed_intervals.has_unproven, false) as has_unproven,
        summed_policies.strictest_policy_id, summed_policies.policies, summed_intervals.intervals
    from branches
    left join last_readings
        on last_readings.organization = branches.organization
        and last_readings.scope = branches.project_id
        and last_readings.resource = 'branch_policies'
    left join summed_policies
        on summed_policies.organization = branches.organization
        and summed_policies.repository_id = branches.repository_id
        and summed_policies.branch = branches.branch
    left join summed_intervals
        on summed_intervals.organization = branches.organization
        and summed_intervals.repository_id = branches.repository_id
        and summed_intervals.branch = branches.branch
    left join merged_branches
        on merged_branches.organization = branches.organization
        and merged_branches.repository_id = branches.repository_id
        and merged_branches.target_ref = branches.ref_name
),
-- one row per branch that is missing: why nothing can be judged
judged_missing_branches as (
    select
        repositories.organization, repositories.project, repositories.repository_id, repositories.repository,
        missing.branch, repositories.web_url, missing.reason,
        case
            when repositories.is_gone then 'REPOSITORY_GONE'
            when repositories.default_branch is null and used.repository_id is null and branches.repository_id is null then 'EMPTY_REPOSITORY'
            when configured.repository_id is not null and coalesce(last_readings.status, 'never') <> 'ok' then 'EVIDENCE_UNREADABLE'
            else 'NOT_CONFIGURED'
        end as reason_code
    from missing_branches as missing
    join scoped_repositories as repositories
        on repositories.organization = missing.organization and repositories.repository_id = missing.repository_id
    left join used_repositories as used
        on used.organization = missing.organization and used.repository_id = missing.repository_id
    left join (select organization, repository_id from branches group by organization, repository_id) as branches
        on branches.organization = missing.organization and branches.repository_id = missing.repository_id
    left join configured_repositories as configured
        on configured.organization = missing.organization and configured.repository_id = missing.repository_id
    left join last_readings
        on last_readings.organization = missing.organization
        and last_readings.scope = missing.repository_id
        and last_readings.resource = 'branches'
),
-- one row per reason code: the status and the sentence
reasons as (
    select column1 as reason_code, column2 as status, column3 as sentence
    from (values
        ('POLICY_ENFORCED', 'pass', 'A blocking policy demands the approval of another person.'),
        ('REPOSITORY_GONE', 'not_applicable', 'The repository is disabled or deleted.'),
        ('EMPTY_REPOSITORY', 'not_applicable', 'The repository is empty: it has no default branch and no pull request.'),
        ('POLICIES_UNREADABLE', 'unknown', 'The policies of the project could not be read at the last sync.'),
        ('EVIDENCE_UNREADABLE', 'unknown', 'The branches of the repository could not be read at the last sync.'),
        ('POLICY_HISTORY_UNPROVEN', 'unknown', 'A policy satisfies now, but not for every part of the period is it proven which policy held.'),
        ('NOT_CONFIGURED', 'fail', null),
        ('CREATOR_CAN_APPROVE', 'fail', 'The one approval that the policy demands may come from the creator.'),
        ('NO_APPROVER_REQUIRED', 'fail', 'The policy demands no approver.'),
        ('POLICY_DISABLED', 'fail', 'The policy that would demand an approval is disabled.'),
        ('POLICY_NOT_BLOCKING', 'fail', 'The policy that would demand an approval is optional: it does not block a merge.'),
        ('NO_POLICY', 'fail', 'No policy demands an approval on this branch.'),
        ('NO_RESET_ON_PUSH', 'fail', 'No minimum reviewers policy asks for a new approval after a push.'),
        ('LAST_PUSHER_MAY_APPROVE', 'fail', 'The policy lets the last pusher approve.'),
        ('POLICY_GAP', 'fail', 'A policy satisfies now, but in a part of the period none did.')
    )
)
select
    judged.organization, judged.project, judged.repository_id, judged.repository, judged.branch,
    cast(null as bigint) as pull_request_id,
    judged.branch as subject,
    judged.web_url as resource_url,
    reasons.status,
    judged.reason_code,
    reasons.sentence as reason,
    case
        when judged.reason_code = 'REPOSITORY_GONE' then ''
        when judged.reason_code = 'POLICIES_UNREADABLE' then case when judged.has_merged_pull_request then '' else 'NO_MERGED_PULL_REQUEST' end
        else concat_ws(',',
            case when judged.is_creator_counted then 'CREATOR_VOTE_COUNTS' end,
            case when judged.reason_code = 'POLICY_ENFORCED' and not judged.has_pusher_block then 'LAST_PUSHER_MAY_APPROVE' end,
            case when not judged.has_build_validation then 'NO_BUILD_VALIDATION' end,
            case when not judged.has_merged_pull_request then 'NO_MERGED_PULL_REQUEST' end,
            case when judged.reason_code = 'POLICY_ENFORCED' and not judged.has_reset then 'NO_RESET_ON_PUSH' end,
            case when judged.reason_code = 'POLICY_ENFORCED' and judged.has_gap then 'POLICY_GAP' end,
            case when judged.reason_code = 'POLICY_ENFORCED' and judged.has_unproven then 'POLICY_HISTORY_UNPROVEN' end
        )
    end as flags,
    to_json(named_struct(
        'strictest_policy_id', judged.strictest_policy_id,
        'policies', judged.policies,
        'intervals', judged.intervals
    )) as evidence_json
from judged_branches as judged
join reasons on reasons.reason_code = judged.reason_code
union all
select
    missing.organization, missing.project, missing.repository_id, missing.repository, missing.branch,
    cast(null as bigint) as pull_request_id,
    coalesce(missing.branch, missing.repository) as subject,
    missing.web_url as resource_url,
    reasons.status,
    missing.reason_code,
    coalesce(reasons.sentence, missing.reason) as reason,
    '' as flags,
    to_json(named_struct('missing', missing.reason)) as evidence_json
from judged_missing_branches as missing
join reasons on reasons.reason_code = missing.reason_code
order by organization, project, repository, branch, pull_request_id, repository_id
