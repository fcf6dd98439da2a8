-- id: flag_meanings
-- title: What the flags of a verdict mean
-- about: any
-- grain: one row per verdict and flag
-- reads: explained_verdicts

with
-- one row per flag, in alphabetical order
meanings as (
    select column1 as flag, column2 as meaning
    from (values
        ('APPROVER_CONTRIBUTED', 'every approver pushed or wrote a part of the change'),
        ('BRANCH_DELETED', 'the branch was deleted in the period'),
        ('BRANCH_RECREATED', 'the branch was created again after a deletion'),
        ('COMMIT_UNPROVEN', 'on which commit it ran is not known, and no other run is known to cover the final one'),
        ('CREATOR_VOTE_COUNTS', 'the creator counts as one of several approvers'),
        ('DOWNVOTE_AT_MERGE', 'somebody''s vote against it stood at the merge'),
        ('EXCEPTION_EXPIRED', 'an exception names it, but had expired'),
        ('FORCE_PUSH', 'a direct push was forced: it replaced commits'),
        ('GUEST_APPROVER', 'every approver is a guest'),
        ('IDENTITY_UNPROVEN', 'nothing shows whose identity approved'),
        ('LABEL_TIME_UNPROVEN', 'nothing shows that the label was there at the merge'),
        ('LAST_PUSHER_MAY_APPROVE', 'who pushed last may approve'),
        ('LINKED_BY_BRANCH', 'the run is linked by branch and commit, not by number'),
        ('MERGED_EXTERNALLY', 'Azure DevOps did not complete it: its commits reached the branch by another way'),
        ('NON_PR_RUN', 'the run was not started by the pull request'),
        ('NO_BUILD_VALIDATION', 'no blocking policy demands a build on this branch'),
        ('NO_MERGED_PULL_REQUEST', 'no pull request was ever merged into this branch'),
        ('NO_RESET_ON_PUSH', 'a push leaves approvals as they are'),
        ('POLICY_BYPASSED', 'it was completed bypassing the branch policies'),
        ('POLICY_GAP', 'in a part of the period no policy demanded an approval'),
        ('POLICY_HISTORY_UNPROVEN', 'for a part of the period it is not shown which policy held'),
        ('RERUN', 'several runs covered the final commit; the last one decided'),
        ('RERUN_AFTER_MERGE', 'the run finished again after the merge'),
        ('RETARGETED_AFTER_APPROVAL', 'it was moved onto this branch after every approval'),
        ('REVIEWER_REMOVED', 'no approver is in the reviewer list any more'),
        ('RUN_EXPIRED', 'the run is gone from Azure DevOps; its evaluation speaks for it'),
        ('STALE_APPROVAL', 'the code changed after every approval'),
        ('VOTE_TIME_UNPROVEN', 'nothing shows that an approval was cast before the merge')
    )
)
select
    verdicts.check_id, 'flag' as effect, cast(null as timestamp) as at, 0 as step, 'flag' as kind,
    meanings.flag as fact, meanings.meaning as why, meanings.flag as id, cast(null as varchar) as url
from explained_verdicts as verdicts
join meanings on strpos(concat(',', verdicts.flags, ','), concat(',', meanings.flag, ',')) > 0
