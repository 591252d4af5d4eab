import type { components } from './generated/api.js'

/** Every schema of the API by its name, generated from the OpenAPI document. */
export type Schemas = components['schemas']

export type Author = Schemas['Author']
export type CandidatesRequest = Schemas['CandidatesRequest']
export type Comment = Schemas['Comment']
export type EngagementEvent = Declared<Schemas['ClientEvent']>
export type EventsReply = Schemas['EventsOutcome']
export type FeedItem = Schemas['FeedItem']
export type FeedPage = Schemas['FeedPage']
export type FollowRequest = Schemas['FollowRequest']
export type FollowRequests = Schemas['FollowRequestPage']
export type FoundCandidates = Schemas['FoundCandidates']
export type Image = Schemas['Image']
export type ItemContent = Schemas['ItemContent']
export type ItemsOutcome = Schemas['ItemsOutcome']
export type Me = Schemas['Me']
export type Notification = Schemas['Notification']
export type NotificationKind = Schemas['NotificationKind']
export type Person = Schemas['Person']
export type Photo = Schemas['Photo']
export type Post = Schemas['Post']
export type Profile = Schemas['Profile']
export type RankedItems = Schemas['RankedItems']
export type RankRequest = Schemas['RankRequest']
export type SessionReply = Schemas['SessionReply']
export type UploadTicket = Schemas['UploadTicket']
export type User = Schemas['User']

export type Images = Post['images']
export type PhotoStatus = Photo['status']
export type Source = FeedItem['source']

/** The declared properties of a type that allows any others. */
type Declared<T> = { [Key in keyof T as string extends Key ? never : Key]: T[Key] }

/** One page of any list. */
export interface Page<T> {
  items: T[]
  nextCursor: string | null
}
