-- id: policy_flips
-- title: What would make the policies of a branch demand an approval
-- about: branch
-- checks: branch_policy_requires_approval
-- grain: one row per verdict that is no pass
-- reads: explained_verdicts, effective_branch_policies, production_branches_in_force
-- params: organization text; repository_id text; branch text

with
verdicts as (
    select * from explained_verdicts
    where check_id = 'branch_policy_requires_approval' and status in ('fail', 'unknown', 'not_applicable')
),
-- one row: the policies that miss, and those that satisfy
policies as (
    select
        string_agg(cast(policy_id as varchar), ' or ' order by policy_id) filter (where miss = 'CREATOR_CAN_APPROVE') as of_creator,
        string_agg(cast(policy_id as varchar), ' or ' order by policy_id) filter (where miss = 'NO_APPROVER_REQUIRED') as of_nobody,
        string_agg(cast(policy_id as varchar), ' or ' order by policy_id) filter (where miss = 'POLICY_DISABLED') as disabled,
        string_agg(cast(policy_id as varchar), ' or ' order by policy_id) filter (where miss = 'POLICY_NOT_BLOCKING') as optional,
        string_agg(cast(policy_id as varchar), ' or ' order by policy_id)
            filter (where is_satisfying and policy_kind = 'minimum_reviewers') as satisfying
    from effective_branch_policies
    where organization = $organization and repository_id = $repository_id and branch = $branch
),
-- one row: the configured patterns
patterns as (
    select string_agg(concat('`', pattern, '`'), ', ' order by pattern_index) as patterns
    from production_branches_in_force
    where organization = $organization and repository_id = $repository_id
)
select
    verdicts.check_id, 'flip' as effect, cast(null as timestamp) as at, 0 as step, 'policy' as kind,
    case verdicts.reason_code
        when 'CREATOR_CAN_APPROVE' then concat('policy ', policies.of_creator, ' not counting the creator''s vote, or demanding two approvers')
        when 'NO_APPROVER_REQUIRED' then concat('policy ', policies.of_nobody, ' demanding at least one approver')
        when 'POLICY_DISABLED' then concat('policy ', policies.disabled, ' switched on')
        when 'POLICY_NOT_BLOCKING' then concat('policy ', policies.optional, ' made required (blocking)')
        when 'NO_RESET_ON_PUSH' then case
            when policies.satisfying is null then 'a blocking policy of minimum reviewers that resets votes on a push and keeps the last pusher from approving'
            else concat('policy ', policies.satisfying, ' resetting votes on a push, and keeping the last pusher from approving')
        end
        when 'LAST_PUSHER_MAY_APPROVE' then concat('policy ', policies.satisfying, ' keeping the last pusher from approving')
        when 'POLICY_GAP' then 'a policy that satisfied in every part of the period'
        when 'POLICY_HISTORY_UNPROVEN' then 'a period that begins after the last change that is not shown, or proof of which policy held before'
        when 'POLICIES_UNREADABLE' then 'the policies of the project read, if they then demand an approval'
        when 'EVIDENCE_UNREADABLE' then 'the branches of the repository read, if a policy of theirs demands an approval'
        when 'NOT_CONFIGURED' then case
            when verdicts.branch is not null then concat('a branch ', verdicts.branch, ', or another name in `production-branches`, whose policies demand an approval')
            else concat('`production-branches`', coalesce(', now ' || patterns.patterns || ',', ''), ' naming a branch that exists, whose policies demand an approval')
        end
        when 'REPOSITORY_GONE' then 'it would be judged if the repository were there'
        when 'EMPTY_REPOSITORY' then 'it would be judged once it holds a branch'
        else concat('a blocking policy of minimum reviewers on ', verdicts.branch, ' that demands one approver without the creator')
    end as fact,
    cast(null as varchar) as why, cast(null as varchar) as id, cast(null as varchar) as url
from verdicts
cross join policies
cross join patterns
