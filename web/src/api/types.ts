/** The shapes of the HTTP API that the app reads. Ids are opaque strings, times are RFC 3339 in UTC. */

export interface Person {
  id: string
  handle: string
  displayName: string
  followerCount: number
  followingCount: number
}

export interface User extends Person {
  isPrivate: boolean
  createdAt: string
}

export interface Profile extends User {
  postCount: number
  followedByMe: boolean
  followsMe: boolean
  requestedByMe: boolean
}

export interface Follower {
  id: string
  handle: string
  displayName: string
}

export interface FollowRequest extends Follower {
  requestedAt: string
}

export interface FollowRequests {
  total: number
  items: FollowRequest[]
}

export interface Author {
  id: string
  handle: string
  displayName: string
  followedByMe: boolean
}

export interface Image {
  url: string
  width: number
  height: number
}

/** Longest edge in pixels → image. Small originals have fewer sizes. */
export type Images = Record<string, Image>

/** What is needed to lay a photo out and paint it before its first byte has arrived. */
export interface Picture {
  width: number
  height: number
  blurhash: string | null
  dominantColor: string | null
  images: Images
}

export interface Reactions {
  likeCount: number
  saveCount: number
  likedByMe: boolean
  savedByMe: boolean
}

export interface Post extends Picture, Reactions {
  id: string
  author: Author
  caption: string
  tags: string[]
  topic: string
  contentType: 'photo' | 'reel'
  postedAt: string
  commentCount: number
}

export type Source = 'following' | 'celebrity' | 'explore'

export interface FeedItem {
  position: number
  source: Source
  score: number
  reason: string
  post: Post
}

export interface Model {
  name: string
  version: string
  engine: string
}

export interface Slate {
  slateId: string
  model: Model | null
  ranking: 'model' | 'popularity' | 'recency'
  items: FeedItem[]
  nextCursor: string | null
  exploreShare: number
}

export interface Page<T> {
  items: T[]
  nextCursor: string | null
}

export interface Comment {
  id: string
  text: string
  author: Omit<Author, 'followedByMe'>
  createdAt: string
}

export type PhotoStatus = 'awaiting_upload' | 'processing' | 'ready' | 'review' | 'rejected' | 'failed'

/** A photo on its way from upload to post. Size, blurhash and images are null until it has been processed. */
export interface Photo {
  id: string
  status: PhotoStatus
  failure: { code: string; reason: string } | null
  width: number | null
  height: number | null
  blurhash: string | null
  dominantColor: string | null
  images: Images
  caption: string
  tags: string[]
  ownerId: string
  createdAt: string
}

export interface UploadTicket {
  photoId: string
  uploadUrl: string
  expiresAt: string
}

export type EventType = 'impression' | 'dwell' | 'open' | 'hide' | 'profile_visit'

export interface EngagementEvent {
  id: string
  type: EventType
  occurredAt: string
  postId?: string
  personId?: string
  slateId?: string
  position?: number
  source?: Source
  dwellMs?: number
}

export interface EventsReply {
  accepted: number
  unchanged: number
  refused: { index: number; id: string; code: string; reason: string }[]
}
