import type { ApiClient } from './client.js'
import type {
  CandidatesRequest,
  FoundCandidates,
  ItemContent,
  ItemsOutcome,
  RankedItems,
  RankRequest,
} from './types.js'

/** Describes items of a service's own catalogue, or replaces what was said of them; the token needs the scope `service`. */
export function putItems(api: Pick<ApiClient, 'put'>, items: readonly ItemContent[]): Promise<ItemsOutcome> {
  return api.put<ItemsOutcome>('/items', { items })
}

/** Orders up to 2,000 candidates of a service for a person. */
export function rank(api: Pick<ApiClient, 'post'>, request: RankRequest): Promise<RankedItems> {
  return api.post<RankedItems>('/rank', request)
}

/** Finds items that a person may like. */
export function candidates(
  api: Pick<ApiClient, 'post'>,
  request: CandidatesRequest,
): Promise<FoundCandidates> {
  return api.post<FoundCandidates>('/candidates', request)
}
