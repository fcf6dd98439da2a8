-- id: standing_votes
-- title: What became of each person's vote by the merge
-- grain: one row per merged pull request and person or group that is or was a reviewer or has voted
-- reads: merged_pull_requests, pull_requests, pull_request_votes, pull_request_reviewers
-- holds: events

-- Votes and resets are replayed up to the merge; a reset at the time of a vote comes after it. The reviewer list, read after the
-- merge, decides only where the events leave it open: it holds no times. Joins are on organization and pull_request_id, which is
-- unique in it.
with
-- inputs
merged as (
    select
        organization, repository_id, pull_request_id, merged_at, last_seen_open_at, service_identities_json,
        coalesce(author_id, lower(nullif(author_unique_name, '')), author_descriptor) as author_id
    from merged_pull_requests
),
completed as (select organization, pull_request_id, closed_at from pull_requests where status = 'completed'),
reviewers as (
    select
        organization, pull_request_id, reviewer_id, vote, is_group, has_declined, removed_at is null as is_listed,
        vote_while_open, vote_while_open_at, first_seen_at
    from pull_request_reviewers
),
-- one row per vote and per voter that a reset names
events as (
    select
        votes.organization, votes.pull_request_id, votes.voter_id as person_id, votes.kind, votes.vote, votes.at, votes.thread_id,
        votes.at <= completed.closed_at as is_in_time
    from pull_request_votes as votes
    join completed on completed.organization = votes.organization and completed.pull_request_id = votes.pull_request_id
),
-- one row per pull request and person who voted, with the resets that name the person
voters as (
    select
        organization, pull_request_id, person_id,
        last_value(vote order by at, thread_id) filter (where kind = 'vote' and is_in_time) as vote,
        max(at) filter (where kind = 'vote' and is_in_time) as voted_at,
        max(at) filter (where kind = 'vote' and is_in_time and vote >= 5) as approved_at,
        max(at) filter (where kind = 'vote' and is_in_time and vote < 0) as rejected_at,
        max(vote) filter (where kind = 'vote' and not is_in_time) as late_vote,
        max(at) filter (where kind = 'reset' and is_in_time) as reset_at,
        bool_or(kind = 'reset' and not is_in_time) as is_reset_after_merge
    from events
    group by organization, pull_request_id, person_id
    having bool_or(kind = 'vote')
),
-- one row per pull request with a reset: the last one, the last one of all votes, the last one that names voters
resets as (
    select
        organization, pull_request_id,
        max(at) filter (where is_in_time) as last_reset_at,
        max(at) filter (where is_in_time and person_id = '*') as all_reset_at,
        max(at) filter (where is_in_time and person_id <> '*') as named_reset_at,
        bool_or(not is_in_time) as is_reset_after_merge
    from events
    where kind = 'reset'
    group by organization, pull_request_id
),
-- one row per pull request and person: what the votes say beside what the list says
compared as (
    select
        coalesce(reviewers.organization, voters.organization) as organization,
        coalesce(reviewers.pull_request_id, voters.pull_request_id) as pull_request_id,
        coalesce(reviewers.reviewer_id, voters.person_id) as person_id,
        coalesce(reviewers.is_group, false) as is_group,
        coalesce(reviewers.has_declined, false) as has_declined,
        coalesce(reviewers.is_listed, false) as is_listed,
        case when reviewers.is_listed then reviewers.vote end as listed_vote,
        reviewers.vote_while_open, reviewers.vote_while_open_at, reviewers.first_seen_at,
        voters.person_id is not null as has_voted,
        voters.vote as event_vote, voters.voted_at, voters.approved_at, voters.rejected_at, voters.late_vote,
        voters.reset_at, coalesce(voters.is_reset_after_merge, false) as is_reset_after_merge
    from reviewers
    full join voters
        on voters.organization = reviewers.organization
        and voters.pull_request_id = reviewers.pull_request_id
        and voters.person_id = reviewers.reviewer_id
),
-- one row per merged pull request and person: what a later reset did to the last vote that was cast in time
replayed as (
    select
        merged.repository_id, merged.merged_at, merged.author_id, merged.service_identities_json,
        merged.last_seen_open_at, compared.*, resets.last_reset_at,
        coalesce(compared.reset_at >= compared.voted_at, false)
            or coalesce(resets.all_reset_at >= compared.voted_at, false) as is_voided,
        -- a reset names examples of the voters it concerns: of those it does not name, the list tells
        coalesce(resets.named_reset_at >= compared.voted_at, false) as is_decided_by_list,
        compared.late_vote is not null or compared.is_reset_after_merge as is_changed_after_merge,
        compared.is_listed and compared.late_vote is null and not coalesce(resets.is_reset_after_merge, false) as is_list_of_merge
    from compared
    join merged on merged.organization = compared.organization and merged.pull_request_id = compared.pull_request_id
    left join resets on resets.organization = compared.organization and resets.pull_request_id = compared.pull_request_id
),
-- the same, with the vote at the merge; 0 = none
standing as (
    select
        *,
        case
            when not has_voted then coalesce(listed_vote, 0)
            when event_vote is null then 0
            -- a rejection may stand without an event, an approval may not
            when is_list_of_merge and listed_vote < 0 then listed_vote
            when is_voided then 0
            when is_decided_by_list and (not is_listed or is_changed_after_merge) then 0
            when (is_decided_by_list or is_list_of_merge) and listed_vote < 5 then listed_vote
            else event_vote
        end as vote
    from replayed
)
select
    organization,
    repository_id,
    pull_request_id,
    person_id,
    merged_at,
    author_id,
    service_identities_json,
    is_group,
    has_declined,
    is_listed,
    has_voted,
    voted_at,
    vote,
    vote_while_open,
    vote_while_open_at as listed_from_at,
    -- the vote stood unchanged in every answer from the first to the last that listed it while active
    greatest(
        vote_while_open_at, last_seen_open_at, case when vote_while_open is not null then first_seen_at end
    ) as vote_while_open_at,
    last_reset_at,
    -- an approval that was there in time and was lost to a reset or taken back, not replaced by a rejection
    case
        when vote <> 0 then false
        when has_voted then approved_at is not null and coalesce(approved_at > rejected_at, true)
        else is_listed and coalesce(vote_while_open >= 5, false)
    end as is_approval_reset,
    -- approved after the merge and never before
    coalesce(late_vote >= 5, false) and approved_at is null as is_approval_late
from standing
