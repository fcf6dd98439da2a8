-- id: approval_flips
-- title: What would have made a pull request approved
-- about: pull_request
-- checks: pull_request_approved
-- grain: one row per verdict that is no pass, or does not apply
-- reads: explained_verdicts, merged_pull_requests, pull_request_approvals, standing_votes, people, pull_request_iterations
-- params: organization text; pull_request_id bigint; profile text

with
verdicts as (
    select check_id, status, reason_code from explained_verdicts
    where check_id = 'pull_request_approved' and pull_request_id = $pull_request_id and status in ('fail', 'unknown')
),
-- one row: the pull request
merged as (
    select
        organization, pull_request_id, branch,
        concat('the merge, ', to_char(merged_at, '%Y-%m-%d %H:%M:%S'), ' UTC') as the_merge,
        coalesce(author_name, author_unique_name, 'the creator') as author
    from merged_pull_requests
    where organization = $organization and pull_request_id = $pull_request_id
),
-- one row: when its source and its target last changed
changes as (
    select
        to_char(max(at) filter (where lower(coalesce(reason, '')) <> 'retarget'), '%Y-%m-%d %H:%M:%S') as pushed_at,
        to_char(max(at) filter (where strpos(lower(reason), 'retarget') > 0), '%Y-%m-%d %H:%M:%S') as retargeted_at
    from pull_request_iterations
    where organization = $organization and pull_request_id = $pull_request_id
),
-- one row: those whose approval missed for the reason of the verdict
missed as (
    select
        string_agg(distinct coalesce(people.display_name, people.unique_name, approvals.person_id), ' or ') as approvers,
        to_char(max(votes.last_reset_at), '%Y-%m-%d %H:%M:%S') as reset_at
    from pull_request_approvals as approvals
    join verdicts on verdicts.reason_code = case when $profile = 'strict' then approvals.miss_strict else approvals.miss_standard end
    left join standing_votes as votes
        on votes.organization = approvals.organization
        and votes.pull_request_id = approvals.pull_request_id
        and votes.person_id = approvals.person_id
    left join people on people.organization = approvals.organization and people.person_id = approvals.person_id
    where approvals.organization = $organization and approvals.pull_request_id = $pull_request_id
)
select
    verdicts.check_id, 'flip' as effect, cast(null as timestamp) as at, 0 as step, 'approval' as kind,
    case verdicts.reason_code
        when 'LATE_APPROVAL' then concat('the approval by ', missed.approvers, ' given at or before ', merged.the_merge)
        when 'APPROVAL_RESET' then concat(
            'a new approval, by ', missed.approvers, ' or any person other than ', merged.author,
            ', after ', coalesce('the reset at ' || missed.reset_at, 'it was lost'), ' and at or before ', merged.the_merge
        )
        when 'STALE_APPROVAL' then concat(
            'a new approval, by ', missed.approvers, ' or any person other than ', merged.author,
            ', after the last push at ', changes.pushed_at, ' and at or before ', merged.the_merge
        )
        when 'RETARGETED_AFTER_APPROVAL' then concat(
            'a new approval, by ', missed.approvers, ' or any person other than ', merged.author,
            ', after it was moved to ', merged.branch, ' at ', changes.retargeted_at, ' and at or before ', merged.the_merge
        )
        when 'APPROVER_CONTRIBUTED' then concat(
            'an approval, at or before ', merged.the_merge, ', by a person who neither pushed nor wrote a part of it: not ',
            merged.author, ', not ', missed.approvers
        )
        when 'REVIEWER_REMOVED' then concat(missed.approvers, ' left in the reviewer list, or an approval by another person other than ', merged.author)
        when 'NON_HUMAN_APPROVER' then concat(
            'an approval by a person other than ', merged.author, ', at or before ', merged.the_merge, '; ', missed.approvers, ' is a service identity'
        )
        when 'MERGED_EXTERNALLY' then concat('a completion by Azure DevOps, in place of commits that reached ', merged.branch, ' by another way')
        when 'VOTE_TIME_UNPROVEN' then concat(
            'an event of the vote of ', missed.approvers, ', or a sync that sees the vote while the pull request is open and after its last push'
        )
        when 'IDENTITY_UNPROVEN' then concat('a descriptor or unique name of ', coalesce(missed.approvers, 'the approver'), ' and of the creator')
        when 'EVIDENCE_UNREADABLE' then 'threads and iterations read after the merge, if they then show an approval'
        else concat('an approval (vote 10 or 5) by a person other than ', merged.author, ', standing at ', merged.the_merge)
    end as fact,
    cast(null as varchar) as why, cast(null as varchar) as id, cast(null as varchar) as url
from verdicts
cross join merged
cross join changes
cross join missed
union all
select
    check_id, 'flip' as effect, null as at, 0 as step, 'setting' as kind,
    '`production-branches` set for the repository: then its pull requests are judged one by one' as fact,
    null as why, null as id, null as url
from explained_verdicts
where check_id = 'pull_request_approved' and pull_request_id is null and status = 'fail'
