-- id: effective_branch_policies
-- title: Policies that apply to a production branch now
-- grain: one row per existing production branch and policy that applies to it, in its latest revision
-- reads: branch_policy_revisions, branch_policies
-- slices: none

-- miss is the reason why a policy of approvals satisfies nobody: CREATOR_CAN_APPROVE, NO_APPROVER_REQUIRED, POLICY_DISABLED or
-- POLICY_NOT_BLOCKING; null where it satisfies, and for policies that demand no approval of the whole change.
with
-- inputs
revisions as (select * from branch_policy_revisions),
-- one row per policy that is not deleted: its latest revision
latest as (
    select organization, policy_id, max(revision) as revision
    from branch_policies
    group by organization, policy_id
    having not last_value(is_deleted or valid_to is not null order by revision)
)
select
    revisions.organization,
    revisions.project_id,
    revisions.repository_id,
    revisions.branch,
    revisions.ref_name,
    revisions.policy_id,
    revisions.revision,
    revisions.type_id,
    revisions.type_name,
    revisions.policy_kind,
    revisions.matches,
    revisions.is_enabled,
    revisions.is_blocking,
    revisions.approver_count,
    revisions.required_reviewer_count,
    revisions.creator_vote_counts,
    revisions.is_path_filtered,
    revisions.resets_on_push,
    revisions.blocks_last_pusher,
    revisions.valid_from,
    revisions.is_satisfying,
    revisions.is_satisfying_strictly,
    case
        when revisions.is_satisfying then null
        when revisions.policy_kind not in ('minimum_reviewers', 'required_reviewers') then null
        when revisions.policy_kind = 'required_reviewers' and revisions.is_path_filtered then null
        when not revisions.is_enabled then 'POLICY_DISABLED'
        when not revisions.is_blocking then 'POLICY_NOT_BLOCKING'
        when revisions.approver_count < 1 then 'NO_APPROVER_REQUIRED'
        when revisions.policy_kind = 'required_reviewers' and revisions.required_reviewer_count < 1 then null
        when revisions.approver_count = 1 then 'CREATOR_CAN_APPROVE'
    end as miss
from revisions
join latest
    on latest.organization = revisions.organization
    and latest.policy_id = revisions.policy_id
    and latest.revision = revisions.revision
