-- id: branch_policy_revisions
-- title: Policy revisions that cover a production branch
-- grain: one row per existing production branch and revision, also past ones, of a policy with a scope that covers the branch
-- reads: production_branches_existing, branch_policies
-- slices: none

-- Policies are told apart by type id, never by name: the merge strategy policy has nearly the id of the minimum reviewers.
with
-- inputs
branches as (select * from production_branches_existing),
policies as (
    select
        *,
        lower(coalesce(match_kind, 'exact')) as match,
        case lower(type_id)
            when 'fa4e907d-c16b-4a4c-9dfa-4906e5d171dd' then 'minimum_reviewers'
            when 'fd2167ab-b0be-447a-8ec8-39368250530e' then 'required_reviewers'
            when '0609b952-1397-4640-95ec-e00a01b2c241' then 'build_validation'
            else 'other'
        end as policy_kind
    from branch_policies
),
-- one row per branch and policy scope that covers it
covering_scopes as (
    select
        branches.organization, branches.project_id, branches.repository_id, branches.branch, branches.ref_name,
        branches.repository_first_seen_at,
        policies.policy_id, policies.revision, policies.match, policies.type_id, policies.type_name, policies.policy_kind,
        policies.is_enabled, policies.is_blocking, policies.is_deleted, policies.valid_from, policies.valid_to,
        coalesce(policies.minimum_approver_count, case policies.policy_kind when 'required_reviewers' then 1 else 0 end) as approver_count,
        coalesce(policies.required_reviewer_count, 0) as required_reviewer_count,
        coalesce(policies.creator_vote_counts, false) as creator_vote_counts,
        coalesce(policies.filename_patterns_json, '[]') <> '[]' as is_path_filtered,
        coalesce(policies.reset_on_source_push, false)
            or coalesce(policies.reset_rejections_on_source_push, false)
            or coalesce(policies.require_vote_on_last_iteration, false)
            or coalesce(policies.require_vote_on_each_iteration, false) as resets_on_push,
        coalesce(policies.block_last_pusher_vote, false) as blocks_last_pusher
    from branches
    join policies
        on policies.organization = branches.organization
        and policies.project_id = branches.project_id
        and coalesce(policies.repository_id, branches.repository_id) = branches.repository_id
        and case policies.match
            when 'defaultbranch' then branches.is_default
            when 'exact' then policies.ref_name = branches.ref_name
            when 'prefix' then rtrim(policies.ref_name, '/') = branches.ref_name
                or starts_with(branches.ref_name, concat(rtrim(policies.ref_name, '/'), '/'))
            else false
        end
),
-- one row per branch and revision: several scopes of one policy may cover a branch
covering_revisions as (
    select
        organization, project_id, repository_id, branch, ref_name, repository_first_seen_at,
        policy_id, revision, type_id, type_name, policy_kind, is_enabled, is_blocking, is_deleted, valid_from, valid_to,
        approver_count, required_reviewer_count, creator_vote_counts, is_path_filtered, resets_on_push, blocks_last_pusher,
        string_agg(distinct match, ',' order by match) as matches
    from covering_scopes
    group by
        organization, project_id, repository_id, branch, ref_name, repository_first_seen_at,
        policy_id, revision, type_id, type_name, policy_kind, is_enabled, is_blocking, is_deleted, valid_from, valid_to,
        approver_count, required_reviewer_count, creator_vote_counts, is_path_filtered, resets_on_push, blocks_last_pusher
),
-- one row per branch and revision: does it demand the approval of another person, while it holds
demanding_revisions as (
    select
        *,
        is_enabled and is_blocking and case policy_kind
            when 'minimum_reviewers' then approver_count >= case when creator_vote_counts then 2 else 1 end
            when 'required_reviewers' then
                required_reviewer_count >= 1 and approver_count >= 1 and not creator_vote_counts and not is_path_filtered
            else false
        end as is_satisfying
    from covering_revisions
)
select
    *,
    is_satisfying and policy_kind = 'minimum_reviewers' and resets_on_push and blocks_last_pusher as is_satisfying_strictly,
    matches = 'defaultbranch' as is_by_default_branch
from demanding_revisions
