-- id: used_branches
-- title: Branches that pull requests were opened for
-- grain: one row per branch that a pull request targets
-- reads: pull_requests
-- slices: none

select organization, repository_id, target_ref, min(closed_at) filter (where status = 'completed') as first_merged_at
from pull_requests
group by organization, repository_id, target_ref
