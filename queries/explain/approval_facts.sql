-- id: approval_facts
-- title: Votes on a pull request, and what became of each
-- about: pull_request
-- checks: pull_request_approved
-- grain: one row per vote, reset, reviewer without a vote, commit of an approver and reading that is missing
-- reads: explained_verdicts, merged_pull_requests, standing_votes, pull_request_approvals, people, person_names, pull_request_votes, pull_request_reviewers, pull_request_iterations, pull_request_commits
-- params: organization text; pull_request_id bigint; profile text

with
verdicts as (
    select check_id, reason_code, pull_request_id from explained_verdicts
    where check_id = 'pull_request_approved'
),
-- one row: the pull request
merged as (
    select *, coalesce(author_id, lower(nullif(author_unique_name, '')), author_descriptor) as creator_id
    from merged_pull_requests
    where organization = $organization and pull_request_id = $pull_request_id
),
-- one row: when its source and its target last changed after the first push
changes as (
    select
        max(at) filter (where iteration_id > 1 and lower(coalesce(reason, '')) <> 'retarget') as pushed_at,
        max(at) filter (where strpos(lower(reason), 'retarget') > 0) as retargeted_at
    from pull_request_iterations
    where organization = $organization and pull_request_id = $pull_request_id
),
names as (
    select person_id, coalesce(display_name, unique_name, person_id) as name, is_unproven
    from people
    where organization = $organization
),
-- one row per person, group or service on the pull request: what became of the vote by the merge
standing as (
    select
        votes.*,
        coalesce(names.name, votes.person_id) as name,
        approvals.person_id is not null as is_considered,
        case when $profile = 'strict' then approvals.miss_strict else approvals.miss_standard end as miss,
        approvals.is_stale, approvals.is_retargeted, approvals.is_contributor, approvals.is_reviewer_removed,
        approvals.is_vote_time_unproven, approvals.is_identity_unproven, approvals.is_guest
    from standing_votes as votes
    left join pull_request_approvals as approvals
        on approvals.organization = votes.organization
        and approvals.pull_request_id = votes.pull_request_id
        and approvals.person_id = votes.person_id
    left join names on names.person_id = votes.person_id
    where votes.organization = $organization and votes.pull_request_id = $pull_request_id
),
-- one row per person, group or service: what its last vote is worth, and why
judged as (
    select
        standing.*,
        case
            when not is_considered then 'ignored'
            when miss is null then 'counts'
            when vote < 0 then 'against'
            else 'ignored'
        end as effect,
        case
            when not is_considered then 'no approval'
            when miss is null then concat_ws(
                ', although ',
                'an independent approval',
                nullif(concat_ws(
                    ' and ',
                    case when is_vote_time_unproven then 'nothing shows that it was cast before the merge' end,
                    case when is_identity_unproven then 'nothing shows whose identity it is' end,
                    case when is_reviewer_removed then 'no longer in the reviewer list' end,
                    case when is_stale then concat('the code changed after it, at ', to_char(changes.pushed_at, '%Y-%m-%d %H:%M:%S')) end,
                    case when is_retargeted then concat('it was moved to this branch after it, at ', to_char(changes.retargeted_at, '%Y-%m-%d %H:%M:%S')) end,
                    case when is_contributor then 'the approver pushed or wrote a part of the change' end,
                    case when is_guest then 'the approver is a guest' end
                ), '')
            )
            when miss = 'SELF_APPROVED' and person_id = creator_id then 'cast by the creator of the pull request'
            when miss = 'SELF_APPROVED' then 'an identity of the creator: they share a mail address, a name or a descriptor'
            when miss = 'NON_HUMAN_APPROVER' then 'a service identity, not a person'
            when miss = 'NO_APPROVAL' and is_group then 'a group: only the votes of its members count'
            when miss = 'NO_APPROVAL' and vote < 0 then 'a vote against it'
            when miss = 'NO_APPROVAL' and has_declined then 'the reviewer declined to review'
            when miss = 'LATE_APPROVAL' then 'no approval before the merge'
            when miss = 'APPROVAL_RESET' and last_reset_at >= voted_at then concat(
                'no longer stood at the merge, reset at ', to_char(last_reset_at, '%Y-%m-%d %H:%M:%S')
            )
            when miss = 'APPROVAL_RESET' and has_voted then 'no longer stood at the merge, the reviewer list shows no vote'
            when miss = 'APPROVAL_RESET' then 'seen while the pull request was open, gone from the list after the merge'
            when miss = 'STALE_APPROVAL' then concat('the code changed after it, at ', to_char(changes.pushed_at, '%Y-%m-%d %H:%M:%S'))
            when miss = 'RETARGETED_AFTER_APPROVAL' then concat('it was moved to this branch after it, at ', to_char(changes.retargeted_at, '%Y-%m-%d %H:%M:%S'))
            when miss = 'APPROVER_CONTRIBUTED' then 'the approver pushed or wrote a part of the change'
            when miss = 'REVIEWER_REMOVED' then 'no longer in the reviewer list'
            when miss = 'VOTE_TIME_UNPROVEN' then 'nothing shows that it was cast before the merge and stood until then'
            when miss = 'IDENTITY_UNPROVEN' and creator_id is null then 'who created the pull request is not known, so it may be the same person'
            when miss = 'IDENTITY_UNPROVEN' then 'listed with neither a descriptor nor a unique name: nothing shows who it is'
        end as why
    from standing
    cross join changes
    cross join (select creator_id from merged) as creators
),
-- one row per vote that was cast, with the next one of that person in time
cast_votes as (
    select
        votes.voter_id as person_id, votes.vote, votes.at, votes.thread_id, votes.at > merged.merged_at as is_late,
        lead(votes.at) over (
            partition by votes.voter_id, votes.at > merged.merged_at order by votes.at, votes.thread_id
        ) as next_at
    from pull_request_votes as votes
    cross join merged
    where votes.organization = $organization and votes.pull_request_id = $pull_request_id and votes.kind = 'vote'
),
-- one row per reset: whom it names
resets as (
    select
        votes.thread_id, votes.at, votes.at > merged.merged_at as is_late,
        bool_or(votes.voter_id = '*') as is_of_all,
        string_agg(coalesce(names.name, votes.voter_unique_name, votes.voter_id), ', ' order by votes.voter_id)
            filter (where votes.voter_id not in ('*', '')) as voters
    from pull_request_votes as votes
    cross join merged
    left join names on names.person_id = votes.voter_id
    where votes.organization = $organization and votes.pull_request_id = $pull_request_id and votes.kind = 'reset'
    group by votes.thread_id, votes.at, merged.merged_at
),
-- one row per commit by an approver who contributed
written as (
    select commits.commit_id, commits.authored_at, commits.author_mail, max(judged.name) as name
    from pull_request_commits as commits
    join person_names on person_names.organization = commits.organization and person_names.name = lower(commits.author_mail)
    join judged on judged.person_id = person_names.person_id and judged.is_contributor
    where commits.organization = $organization and commits.pull_request_id = $pull_request_id
    group by commits.commit_id, commits.authored_at, commits.author_mail
),
-- one row per fact
listed as (
    select
        case
            when cast_votes.is_late or cast_votes.next_at is not null then 'ignored'
            when cast_votes.vote = 0 then 'ignored'
            else judged.effect
        end as effect,
        cast_votes.at, 2 as step, 'vote' as kind,
        concat(
            judged.name,
            case
                when cast_votes.vote >= 10 then ' approved'
                when cast_votes.vote >= 5 then ' approved with suggestions'
                when cast_votes.vote = 0 then ' took the vote back'
                when cast_votes.vote <= -10 then ' rejected'
                else ' asked to wait for the author'
            end
        ) as fact,
        case
            when cast_votes.is_late then 'cast after the merge'
            when cast_votes.next_at is not null then concat('replaced by the vote of ', to_char(cast_votes.next_at, '%Y-%m-%d %H:%M:%S'))
            when cast_votes.vote = 0 then 'no vote stood at the merge'
            else judged.why
        end as why,
        cast(cast_votes.thread_id as varchar) as id
    from cast_votes
    join judged on judged.person_id = cast_votes.person_id
    union all
    -- who voted and then stands in the list with another vote: the list decided
    select
        judged.effect, cast(null as timestamp) as at, 5 as step, 'reviewer' as kind,
        concat('the reviewer list shows ', judged.name, ' with vote ', cast(judged.vote as varchar), ', without an event of that vote') as fact,
        judged.why, judged.person_id as id
    from judged
    where not judged.has_voted and judged.vote <> 0
    union all
    select
        'ignored' as effect, judged.vote_while_open_at as at, 5 as step, 'reviewer' as kind,
        concat(judged.name, ' was listed with vote ', cast(judged.vote_while_open as varchar), ' while the pull request was open') as fact,
        judged.why, judged.person_id as id
    from judged
    where not judged.has_voted and judged.vote = 0 and judged.vote_while_open >= 5
    union all
    select
        case when judged.miss = 'REVIEWER_REMOVED' then 'against' else 'context' end as effect,
        reviewers.removed_at as at, 6 as step, 'reviewer' as kind,
        concat(judged.name, ' was no longer in the reviewer list when it was read') as fact, null as why, judged.person_id as id
    from judged
    join pull_request_reviewers as reviewers
        on reviewers.organization = judged.organization
        and reviewers.pull_request_id = judged.pull_request_id
        and reviewers.reviewer_id = judged.person_id
    where reviewers.removed_at is not null and (judged.has_voted or judged.vote <> 0)
    union all
    select
        'context' as effect, null as at, 7 as step, 'reviewer' as kind,
        concat(
            judged.name,
            case
                when judged.has_declined then ' declined to review'
                when judged.is_group then ' (a group) was asked to review'
                else ' was asked to review and never voted'
            end
        ) as fact,
        null as why, judged.person_id as id
    from judged
    where not judged.has_voted and judged.vote = 0 and coalesce(judged.vote_while_open, 0) < 5
    union all
    select
        case
            when resets.is_late then 'ignored'
            when verdicts.reason_code = 'APPROVAL_RESET' then 'against'
            else 'context'
        end as effect,
        resets.at, 3 as step, 'reset' as kind,
        case
            when resets.is_of_all then 'a push reset all votes'
            when resets.voters is null then 'a push reset votes, naming nobody'
            else concat('a push reset votes, among them of ', resets.voters)
        end as fact,
        case
            when resets.is_late then 'after the merge'
            when resets.is_of_all then 'no earlier vote stands'
            else 'the earlier votes of those named no longer stand; of others the reviewer list tells'
        end as why,
        cast(resets.thread_id as varchar) as id
    from resets
    cross join verdicts
    union all
    select
        'context' as effect, written.authored_at as at, 1 as step, 'commit' as kind,
        concat(written.name, ' wrote commit ', substr(written.commit_id, 1, 8)) as fact,
        'by its mail address, at the time that git has' as why, written.commit_id as id
    from written
    union all
    select
        'missing' as effect, null as at, 9 as step, 'reading' as kind,
        concat(
            'the ', unread.what,
            case when unread.read_at is null then ' were never read' else concat(' were last read at ', to_char(unread.read_at, '%Y-%m-%d %H:%M:%S'), ', before the merge') end
        ) as fact,
        unread.holds as why, unread.what as id
    from (
        select 'threads' as what, 'they hold votes and resets with their times' as holds, threads_read_at as read_at, merged_at from merged
        union all
        select 'iterations' as what, 'they hold the pushes' as holds, iterations_read_at as read_at, merged_at from merged
    ) as unread
    where coalesce(unread.read_at < unread.merged_at, true)
    union all
    select
        'missing' as effect, null as at, 10 as step, 'vote' as kind,
        concat('no approval by a person other than ', coalesce(merged.author_name, merged.author_unique_name, 'the creator'), ' stood at the merge') as fact,
        null as why, null as id
    from merged
    cross join verdicts
    cross join (select count(*) filter (where effect = 'counts') as counting from judged) as counted
    where counted.counting = 0 and verdicts.pull_request_id is not null and verdicts.reason_code <> 'EVIDENCE_UNREADABLE'
    union all
    select
        'missing' as effect, null as at, 10 as step, 'setting' as kind,
        '`production-branches` is empty for the repository' as fact, null as why, 'production-branches' as id
    from verdicts
    where verdicts.pull_request_id is null
)
select
    verdicts.check_id, listed.effect, listed.at, listed.step, listed.kind, listed.fact, listed.why, listed.id,
    cast(null as varchar) as url
from listed
cross join verdicts
