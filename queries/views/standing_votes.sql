-- id: standing_votes
-- title: What became of each person's vote by the merge
-- grain: one row per merged pull request and person or group that is or was a reviewer or has voted
-- reads: merged_pull_requests, pull_requests, pull_request_votes, pull_request_reviewers

-- Votes and resets are replayed up to the merge in order of time, then thread. The reviewer list, read after the merge, decides only
-- where the events leave it open: it holds no times.
with
-- inputs
merged as (select organization, repository_id, pull_request_id, merged_at from merged_pull_requests),
completed as (select organization, repository_id, pull_request_id, closed_at from pull_requests where status = 'completed'),
-- one row per event that names a person, and one per reviewer, also those no longer listed
mentions as (
    select
        organization, repository_id, pull_request_id, voter_id as person_id,
        kind, vote, at, thread_id, voter_unique_name, voter_descriptor,
        null as display_name, null as reviewer_unique_name, null as reviewer_descriptor,
        false as is_group, false as has_declined, false as is_listed, null as listed_vote,
        null as vote_while_open, null as vote_while_open_at
    from pull_request_votes
    where voter_id <> '*' and voter_id <> ''
    union all
    select
        organization, repository_id, pull_request_id, reviewer_id as person_id,
        null as kind, null as vote, null as at, null as thread_id, null as voter_unique_name, null as voter_descriptor,
        display_name, nullif(unique_name, '') as reviewer_unique_name, nullif(descriptor, '') as reviewer_descriptor,
        is_group, has_declined, removed_at is null as is_listed, case when removed_at is null then vote end as listed_vote,
        vote_while_open, vote_while_open_at
    from pull_request_reviewers
),
-- one row per mention in a merged pull request: what it says of the time up to the merge
timed_mentions as (
    select
        mentions.*, merged.merged_at,
        coalesce(mentions.kind = 'vote', false) as is_vote,
        coalesce(mentions.kind = 'vote' and mentions.at <= merged.merged_at, false) as is_vote_in_time,
        coalesce(mentions.kind = 'reset' and mentions.at <= merged.merged_at, false) as is_reset_in_time,
        coalesce(mentions.at > merged.merged_at, false) as is_after_merge
    from mentions
    join merged
        on merged.organization = mentions.organization
        and merged.repository_id = mentions.repository_id
        and merged.pull_request_id = mentions.pull_request_id
),
-- one row per pull request and person: what the events say beside what the list says
compared as (
    select
        organization, repository_id, pull_request_id, person_id, merged_at,
        max(display_name) as display_name,
        max(reviewer_unique_name) as reviewer_unique_name,
        max(reviewer_descriptor) as reviewer_descriptor,
        bool_or(is_group) as is_group,
        bool_or(has_declined) as has_declined,
        bool_or(is_listed) as is_listed,
        max(listed_vote) as listed_vote,
        max(vote_while_open) as vote_while_open,
        max(vote_while_open_at) as vote_while_open_at,
        max(nullif(voter_unique_name, '')) as voter_unique_name,
        max(nullif(voter_descriptor, '')) as voter_descriptor,
        bool_or(is_vote) as has_voted,
        bool_or(is_after_merge) as is_changed_after_merge,
        max(at) filter (where is_vote_in_time) as voted_at,
        last_value(thread_id order by at, thread_id) filter (where is_vote_in_time) as thread_id,
        last_value(vote order by at, thread_id) filter (where is_vote_in_time) as event_vote,
        last_value(vote order by at, thread_id) filter (where is_vote_in_time and vote <> 0) as last_opinion,
        max(vote) filter (where is_vote_in_time) as best_vote,
        max(vote) filter (where is_vote and is_after_merge) as best_vote_after_merge,
        max(at) filter (where is_reset_in_time) as reset_at,
        last_value(thread_id order by at, thread_id) filter (where is_reset_in_time) as reset_thread_id
    from timed_mentions
    group by organization, repository_id, pull_request_id, person_id, merged_at
),
-- one row per pull request with a reset: the last one of all votes, the last one of named votes, and whether one came after the merge
resets as (
    select
        votes.organization, votes.repository_id, votes.pull_request_id,
        max(votes.at) filter (where votes.at <= completed.closed_at) as last_reset_at,
        max(votes.at) filter (where votes.voter_id = '*' and votes.at <= completed.closed_at) as all_reset_at,
        last_value(votes.thread_id order by votes.at, votes.thread_id)
            filter (where votes.voter_id = '*' and votes.at <= completed.closed_at) as all_reset_thread_id,
        max(votes.at) filter (where votes.voter_id <> '*' and votes.at <= completed.closed_at) as named_reset_at,
        last_value(votes.thread_id order by votes.at, votes.thread_id)
            filter (where votes.voter_id <> '*' and votes.at <= completed.closed_at) as named_reset_thread_id,
        bool_or(votes.at > completed.closed_at) as is_reset_after_merge
    from pull_request_votes as votes
    join completed
        on completed.organization = votes.organization
        and completed.repository_id = votes.repository_id
        and completed.pull_request_id = votes.pull_request_id
    where votes.kind = 'reset'
    group by votes.organization, votes.repository_id, votes.pull_request_id
),
-- one row per pull request and person: what a later reset did to the last vote that was cast in time
replayed as (
    select
        compared.*, resets.last_reset_at,
        coalesce(
            compared.reset_at > compared.voted_at
                or (compared.reset_at = compared.voted_at and compared.reset_thread_id > compared.thread_id),
            false
        ) or coalesce(
            resets.all_reset_at > compared.voted_at
                or (resets.all_reset_at = compared.voted_at and resets.all_reset_thread_id > compared.thread_id),
            false
        ) as is_voided,
        -- a reset names examples of the voters it concerns: of those it does not name, the list tells
        coalesce(
            resets.named_reset_at > compared.voted_at
                or (resets.named_reset_at = compared.voted_at and resets.named_reset_thread_id > compared.thread_id),
            false
        ) as is_decided_by_list,
        compared.is_listed and not compared.is_changed_after_merge and not coalesce(resets.is_reset_after_merge, false) as is_list_of_merge
    from compared
    left join resets
        on resets.organization = compared.organization
        and resets.repository_id = compared.repository_id
        and resets.pull_request_id = compared.pull_request_id
)
select
    organization,
    repository_id,
    pull_request_id,
    person_id,
    merged_at,
    display_name,
    reviewer_unique_name,
    voter_unique_name,
    coalesce(reviewer_descriptor, voter_descriptor) as descriptor,
    is_group,
    has_declined,
    is_listed,
    has_voted,
    voted_at,
    vote_while_open,
    vote_while_open_at,
    last_reset_at,
    -- the vote at the merge; 0 = none
    case
        when not has_voted then coalesce(listed_vote, 0)
        when event_vote is null then 0
        when is_voided then case when is_list_of_merge and listed_vote < 0 then listed_vote else 0 end
        when is_decided_by_list and (not is_listed or is_changed_after_merge) then 0
        when is_decided_by_list or is_list_of_merge then case
            when event_vote >= 5 and listed_vote < 5 then listed_vote
            when event_vote < 0 and listed_vote = 0 then 0
            else event_vote
        end
        else event_vote
    end as vote,
    -- an approval that was there in time and was lost to a reset or taken back, not replaced by a rejection
    case
        when not has_voted then is_listed and listed_vote = 0 and coalesce(vote_while_open >= 5, false)
        when event_vote >= 5 then
            is_voided and not coalesce(is_list_of_merge and listed_vote < 0, false)
            or is_decided_by_list and not is_voided and (not is_listed or is_changed_after_merge or listed_vote = 0)
            or is_list_of_merge and not is_voided and listed_vote = 0
        when event_vote = 0 then coalesce(last_opinion >= 5, false)
        else false
    end as is_approval_reset,
    -- approved after the merge and never before
    coalesce(best_vote_after_merge >= 5, false) and coalesce(best_vote < 5, true) as is_approval_late
from replayed
