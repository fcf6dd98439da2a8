-- id: pushed_branches
-- title: Branches that were pushed to
-- grain: one row per production branch with a push
-- reads: pushes
-- slices: none

select
    organization, repository_id, ref_name,
    min(at) as first_pushed_at,
    min(at) filter (where kind = 'create') as first_created_at
from pushes
group by organization, repository_id, ref_name
