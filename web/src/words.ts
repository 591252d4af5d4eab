import type { Language } from './language'
import { compactCount } from './shell/count'

/** All texts of the app in English. A text that contains a value is a function. */
const english = {
  app: 'photofeed',
  skip: 'Skip to content',
  loading: 'Loading…',
  retry: 'Try again',
  reload: 'Reload',
  undo: 'Undo',
  cancel: 'Cancel',
  close: 'Close',
  dismiss: 'Dismiss',

  counts: {
    posts: (count: number) => counted(count, 'post', 'posts'),
    followers: (count: number) => counted(count, 'follower', 'followers'),
    following: (count: number) => `${compactCount(count)} following`,
  },

  ages: {
    now: 'now',
    minutes: (count: number) => `${count} min`,
    hours: (count: number) => `${count} h`,
    days: (count: number) => `${count} d`,
  },

  nav: {
    label: 'Main',
    home: 'Home',
    explore: 'Explore',
    upload: 'New photo',
    activity: 'Activity',
    unread: (count: number) => counted(count, 'unread notification', 'unread notifications'),
    profile: 'Profile',
    newRequests: 'new requests',
    settings: 'Settings',
  },

  signIn: {
    title: 'Sign in',
    choose: 'Choose an account',
    chooseHint: 'Every feed is ranked for one person. Pick a demo account; you can switch at any time.',
    search: 'Search people by name',
    random: 'Random account',
    noMatch: 'No matching accounts.',
    tokenHint: 'This server has no sign-in service. Paste an access token.',
    token: 'Access token',
    submit: 'Continue',
    ended: 'Your session has ended. Sign in to continue where you were.',
    provider: 'Sign in with your account',
    problems: {
      refused: 'You cancelled the sign-in.',
      expired: 'The sign-in took too long, or began in another browser. Please try again.',
      failed: 'The sign-in failed. Please try again.',
      unavailable: 'The sign-in service does not answer. Please try again in a moment.',
      no_account: 'You have no account here. Ask an administrator for one.',
      no_provider: 'This server has no sign-in service.',
      deleted: 'This account was deleted.',
    },
  },

  feed: {
    title: 'Your feed',
    empty: 'Your feed is empty. Follow someone, or upload the first photo.',
    explore: 'Explore photos',
    allSeen: 'You have seen everything for now.',
    reload: 'Reload the feed',
    newPosts: (count: number) => (count === 1 ? '1 new photo' : `${count} new photos`),
  },

  explore: {
    title: 'Explore',
    search: 'Search photos, or @name',
    results: (query: string) => `Search: ${query}`,
    people: 'People',
    nothing: (query: string) => `Nothing found for “${query}”.`,
    ended: 'You have seen all suggestions for now.',
  },

  lists: {
    failed: 'This list could not be loaded.',
    expired: 'This list has expired.',
  },

  profile: {
    private: 'private',
    followsYou: 'follows you',
    removeFollower: 'Remove follower',
    edit: 'Edit profile',
    remove: 'Remove',
    noneOfMine: 'You have not posted any photos yet.',
    addFirst: 'Upload your first photo',
    hiddenPosts: (name: string) => `This account is private. Follow ${name} to see the photos.`,
    failed: 'This profile could not be loaded.',
    none: (name: string) => `${name} has not posted any photos yet.`,
    unknown: (handle: string) => `There is nobody with the name @${handle}.`,
  },

  admin: {
    title: 'Moderation',
    queue: 'Waiting',
    history: 'Decisions',
    keys: 'Keys: J and K move, A approves, R rejects.',
    reason: 'Reason (optional)',
    reasons: { approve: 'Follows the rules.', reject: 'Breaks the rules.' },
    decided: { approve: 'Approved.', reject: 'Rejected.' },
    outcomes: { approved: 'approved', review: 'left to a moderator', rejected: 'rejected' },
    kinds: { photo: 'Photo', comment: 'Comment', person: 'Person' },
    approve: 'Approve',
    reject: 'Reject',
    moderator: 'a moderator',
    empty: 'Nothing waits for a decision.',
    noHistory: 'Nothing was decided yet.',
    pages: 'Pages for those who run photofeed',
    health: {
      title: 'Health',
      model: 'Model',
      steps: {
        model: 'The champion ranks',
        previous: 'The previous champion ranks',
        popularity: 'Popularity ranks',
      },
      version: (name: string, version: string) => `${name}, version ${version}`,
      noModel: 'No model is loaded.',
      previous: 'Previous champion',
      challenger: 'Challenger',
      none: 'none',
      gates: 'Gates',
      neverChecked: 'not checked',
      forced: 'Forced',
      passed: 'passed',
      failed: 'failed',
      run: 'Run in MLflow',
      registered: 'Model in MLflow',
      moves: 'Latest moves',
      noMoves: 'No version was promoted yet.',
      moved: (alias: string, former: string | null, version: string | null) =>
        `${alias}: ${former ?? 'none'} → ${version ?? 'none'}`,
      rollback: 'Roll back',
      rollbackAsk: (version: string) => `Roll back version ${version}?`,
      rollbackMeans:
        'The former champion ranks all feeds within seconds. A second rollback reverts this one.',
      rolledBack: (version: string) => `Version ${version} is the champion.`,
      systems: 'Systems and workers',
      levels: { ok: 'ok', warning: 'warning', wrong: 'wrong' },
      workers: 'Workers',
      noKafka: 'Kafka does not answer: who is there, and how much waits, is not known.',
      group: 'Group',
      members: 'Workers',
      lag: 'Messages that wait',
      away: 'away',
      outbox: (waiting: number, hasRelay: boolean) =>
        `Outbox: ${counted(waiting, 'message waits', 'messages wait')}. ${hasRelay ? 'A relay is running.' : 'No relay is running.'}`,
      letters: 'Dead letters',
      noLetters: 'Workers gave up no message.',
      oldest: (shown: number, total: number) => `The oldest ${shown} of ${total}.`,
      replay: 'Replay',
      replayOf: (key: string) => `Replay ${key}`,
      replayed: 'Replayed.',
    },
    explain: {
      title: 'Explain',
      handle: 'Whose feed (handle)',
      post: 'Post (id or link; optional)',
      ranker: ['Ranked by', 'And by'],
      rankers: {
        champion: 'Champion',
        previous: 'Previous champion',
        challenger: 'Challenger',
        popularity: 'Popularity',
        recency: 'Recency',
      },
      instead: (ranker: string, other: string) => `${ranker} (not loaded: ${other})`,
      ask: 'Explain',
      skipped: (sources: string) => `These sources did not answer: ${sources}`,
      follows: 'follows the author',
      followsNot: 'does not follow the author',
      reasons: {
        own: 'It is their own post.',
        blocked: 'One has blocked the other.',
        muted: 'They muted the author.',
        hidden: 'They hid the post.',
        reported: 'They reported the post.',
        private: 'The account is private, and they do not follow it.',
        moderation: 'Moderation keeps it away.',
        not_visible: 'The post is not visible.',
      },
      decided: 'What decided',
      outcome: 'Outcome',
      source: 'Source',
      score: 'Score',
      rank: 'Rank by score',
      position: 'Position',
      rules: 'Rules that moved it',
      candidates: (ranker: string) => `Candidates: ${ranker}`,
    },
  },

  activity: {
    title: 'Activity',
    none: 'Nothing has happened yet.',
    unread: 'unread',
    like: (name: string) => `${name} likes your photo.`,
    likes: (name: string, others: number) =>
      `${name} and ${counted(others, 'other', 'others')} like your photo.`,
    comment: (name: string) => `${name} commented on your photo.`,
    reply: (name: string) => `${name} answered your comment.`,
    mention: (name: string) => `${name} mentioned you in a photo.`,
    mentionInComment: (name: string) => `${name} mentioned you in a comment.`,
    follow: (name: string) => `${name} follows you.`,
    follow_request: (name: string) => `${name} asks to follow you.`,
    follow_accepted: (name: string) => `${name} accepted your follow request.`,
    photo_approved: 'Your photo was reviewed and is shown.',
    photo_rejected: 'Your photo breaks the rules and is not shown.',
    reportRight: 'You reported something. It broke the rules.',
    reportDismissed: 'You reported something. It does not break the rules.',
  },

  requests: {
    title: 'Follow requests',
    tab: (count: number) => (count > 0 ? `Requests (${count})` : 'Requests'),
    none: 'Nobody is waiting for your answer.',
    accept: 'Accept',
    decline: 'Decline',
  },

  ownLists: {
    label: 'Your lists',
    photos: 'Photos',
    saved: 'Saved',
    liked: 'Liked',
    hints: { saved: 'Only you see what you saved.', liked: 'The photos you liked, the last one first.' },
    empty: { saved: 'You have not saved any photos yet.', liked: 'You have not liked any photos yet.' },
  },

  connections: {
    followers: (name: string) => `Followers of ${name}`,
    following: (name: string) => `${name} follows`,
    none: 'Nobody yet.',
  },

  likes: {
    title: 'Who liked this',
    none: 'Nobody yet.',
    back: 'Back to the photo',
  },

  follow: {
    no: 'Follow',
    requested: 'Requested',
    yes: 'Following',
  },

  post: {
    by: (name: string) => `Photo by ${name}`,
    untitled: 'untitled',
    reel: 'Reel',
    alt: (text: string, name: string) => `${text}, photo by ${name}`,
    gone: 'This photo is no longer available, or you may not see it.',
    lost: 'This photo could not be loaded.',
    notLoaded: 'This post could not be loaded.',
    one: 'Photo',
    previous: 'Previous photo',
    next: 'Next photo',
    more: 'more',
    linkCopied: 'Link copied',
  },

  actions: {
    like: 'Like',
    comments: 'Comments',
    share: 'Share',
    save: 'Save',
  },

  comments: {
    title: 'Comments',
    older: 'Show earlier comments',
    add: 'Add a comment',
    send: 'Post',
    answer: 'Reply',
    answerTo: (name: string) => `Reply to ${name}:`,
    edited: 'edited',
    menu: (name: string) => `More actions for the comment by ${name}`,
    delete: 'Delete',
    deleteTitle: 'Delete this comment?',
    deleteText: 'It is deleted for everyone. This cannot be undone.',
  },

  menu: {
    label: 'More actions',
    why: 'Why am I seeing this?',
    hide: 'Hide this photo',
    mute: (name: string) => `Mute ${name}`,
    block: (name: string) => `Block ${name}`,
    copyLink: 'Copy link',
    edit: 'Edit',
    delete: 'Delete',
    deleted: 'Your photo is deleted.',
    report: 'Report',
  },

  report: {
    titles: {
      photo: 'Report this photo',
      comment: 'Report this comment',
      person: 'Report this person',
    },
    hint: 'A moderator will look at it. Nobody is told who reported it.',
    reason: 'What is wrong?',
    reasons: {
      spam: 'Spam or fraud',
      nudity: 'Nudity or sexual acts',
      violence: 'Violence or threats',
      hate: 'Hatred of a group of people',
      harassment: 'Bullying or harassment',
      self_harm: 'Somebody may hurt themselves',
      child_safety: 'A child is in danger',
      illegal: 'Illegal goods or another crime',
      impersonation: 'Pretends to be somebody else',
      copyright: 'The work of somebody else',
      false_information: 'Untrue and harmful',
      other: 'Something else',
    },
    text: 'More about it (optional)',
    send: 'Report',
    reported: 'Thank you. A moderator will look at it.',
  },

  edit: {
    title: 'Edit the post',
  },

  hidden: {
    text: (name: string, topic: string) =>
      `Hidden. You will see less of ${topic ? `${name}, #${topic}` : name} and similar photos.`,
  },

  person: {
    menu: (name: string) => `More actions for ${name}`,
    muted: (name: string) => `${name} is muted. Their photos no longer appear in your feed.`,
    unmuted: (name: string) => `${name} is no longer muted.`,
    unmute: (name: string) => `Unmute ${name}`,
    unblock: (name: string) => `Unblock ${name}`,
    block: 'Block',
    blockTitle: (name: string) => `Block ${name}?`,
    blockText: 'Neither of you will see or follow the other. They are not told.',
    blocked: (name: string) => `${name} is blocked.`,
    unblocked: (name: string) => `${name} is no longer blocked.`,
  },

  why: {
    sources: { following: null, celebrity: 'Popular creator', explore: 'Suggested' },
    reasons: {
      often_liked: (name: string, _topic: string) => `Because you often like ${name}`,
      likes_topic: (_name: string, topic: string) => `Because you like ${topic}`,
      popular: (_name: string, _topic: string) => 'Popular right now',
      followed: (name: string, _topic: string) => `You follow ${name}`,
      new: (_name: string, _topic: string) => 'Something new for you',
    },
    explanations: {
      following: (name: string) =>
        `You follow ${name}. Photos of people you follow are sorted by how likely you are to react to them.`,
      celebrity: (name: string) =>
        `You follow ${name}, who has many followers. Only their newest photos are considered.`,
      explore: (name: string) =>
        `You do not follow ${name}. About one photo in ten comes from other people, so that you can find new ones.`,
    },
    facts: { source: 'Source', position: 'Position', score: 'Score', ranker: 'Ranked by', engine: 'Engine' },
  },

  slate: {
    byModel: (model: string) => `Ranked by ${model}`,
    byPopularity: 'Most popular first: no model is available',
    byTime: 'Newest first: no model is available',
    suggested: (percent: number) => `${percent} % suggested`,
  },

  upload: {
    choose: 'Choose photos',
    chooseMore: 'Add more photos',
    camera: 'Take a photo',
    drop: 'or drop or paste them anywhere on this page',
    dropHere: 'Drop photos to add them',
    formats: 'JPEG, PNG, WebP, AVIF, HEIC or GIF, at most 50 MB each. Each photo becomes a post.',
    wrongType: (name: string) => `“${name}” is not a photo in a supported format.`,
    tooLarge: (name: string) => `“${name}” is larger than 50 MB.`,
    emptyFile: (name: string) => `“${name}” is empty.`,
    caption: 'Caption',
    altText: 'Description for people who do not see the photo',
    tags: 'Tags',
    tagsExample: 'mountains, morning',
    remove: 'Remove',
    edit: 'Rotate and crop',
    editHint: 'Drag the frame or its corners, or move them with the arrow keys. Shift moves faster.',
    noEdit: 'Your browser cannot decode this file, so it cannot be rotated or cropped here.',
    cannotEdit: 'This photo cannot be edited in your browser. It can be uploaded as it is.',
    turnLeft: 'Rotate left',
    turnRight: 'Rotate right',
    apply: 'Apply',
    cropArea: 'Crop frame',
    cropSize: (width: number, height: number) => `${width} % by ${height} %`,
    corners: {
      topLeft: 'Top left corner',
      topRight: 'Top right corner',
      bottomLeft: 'Bottom left corner',
      bottomRight: 'Bottom right corner',
    },
    share: (count: number) => (count === 1 ? 'Share' : `Share ${count} photos`),
    waiting: 'Waiting for the other uploads',
    sending: 'Uploading',
    percent: (fraction: number) => `${Math.round(fraction * 100)} %`,
    processing: 'Processing',
    processingHint: 'Smaller sizes and a preview are being made. You can leave this page.',
    progress: (name: string) => `Upload of ${name}`,
    published: 'Published',
    publishedHint: 'Your followers can see it now.',
    inReview: 'Waiting for review',
    inReviewHint: 'A moderator will review it before it is shown.',
    rejected: 'This photo cannot be shown',
    rejectedHint: 'It breaks the rules of this site.',
    failed: 'The upload failed',
    failedHint: 'The photo could not be processed.',
    open: 'See the post',
    preview: (name: string) => `Preview of ${name}`,
    noPreview: 'Your browser cannot preview this file. You will see it after the upload.',
    storeUnreachable: 'The photo store cannot be reached. Check your connection and try again.',
    expired: 'The upload took too long. Try again.',
    storeRefused: (status: number) => `The photo store refused the upload (status ${status}). Try again.`,
    statusLost: 'The connection was lost. Your photo is still being processed: check your profile later.',
  },

  settings: {
    developer: 'For developers',
    developerHint: 'Show how each photo was ranked: model, score and position',
    title: 'Settings',
    account: 'Account',
    changePicture: 'Change picture',
    removePicture: 'Remove picture',
    name: 'Name',
    bio: 'About you',
    save: 'Save',
    saved: 'Your profile is saved.',
    people: 'Muted and blocked people',
    muted: 'Muted',
    blocked: 'Blocked',
    unmute: 'Unmute',
    unblock: 'Unblock',
    nobody: 'Nobody.',
    language: 'Language',
    browserLanguage: 'As in the browser',
    privacy: 'Privacy',
    private: 'Private account',
    privateHint: 'Only followers whom you accept see your photos.',
    places: 'Keep locations',
    placesHint:
      'Keep where your photos were taken; only you see it. Switching this off deletes the locations kept so far.',
    notifications: 'Which notifications you get',
    notified: {
      like: 'Likes of your photos',
      comment: 'Comments on your photos',
      reply: 'Answers to your comments',
      mention: 'Mentions of your name',
      follow: 'New followers',
      follow_request: 'Requests to follow you',
      follow_accepted: 'Accepted follow requests',
      photo_approved: 'Approved photos',
      photo_rejected: 'Rejected photos',
      report_decided: 'Decisions on your reports',
    },
    data: 'Your data',
    exportHint: 'The copy has your profile, photos, comments, likes and follows, as a ZIP file.',
    export: 'Download your data',
    deleteAccount: 'Delete your account',
    deleteTitle: 'Delete your account?',
    deleteText:
      'Your name and photos disappear at once, and everything that is stored about you is erased. This cannot be undone.',
    typeHandle: (handle: string) => `Type ${handle} to confirm`,
    deleteForever: 'Delete forever',
    accountDeleted: 'Your account is deleted.',
    signOut: 'Sign out',
    switch: 'Switch account',
  },

  notFound: {
    title: 'Page not found',
    text: 'There is no page at this address.',
    home: 'Go to your feed',
  },

  errors: {
    unreachable: 'photofeed cannot be reached. Check your connection and try again.',
    offline: 'You are offline. This will be sent when the network is back.',
    emptyStream: 'The server sent no answer. Try again.',
  },
} as const

/** Texts of the same shape in any language. */
type Texts<T> = T extends string
  ? string
  : T extends (...values: infer V) => string
    ? (...values: V) => string
    : { readonly [K in keyof T]: Texts<T[K]> }

export type Words = Texts<typeof english>

/** The texts in the language of the app. */
export let words: Words = english

/** Sentences for refusals, by the code of a problem or of a photo's failure. */
export type Refusals = Readonly<Record<string, string>>

let refusals: Refusals = {}

/** What a refusal with this code means, in the language of the app. The server's own sentence is English. */
export function translatedRefusal(code: string, said: string): string {
  return refusals[code] ?? said
}

/** Loads the texts of a language; until then they are English. */
export async function loadWords(language: Language): Promise<void> {
  if (language !== 'de') return
  const [texts, sentences] = await Promise.all([import('./words-de'), import('./refusals-de')])
  words = texts.german
  refusals = sentences.germanRefusals
}

function counted(count: number, one: string, many: string): string {
  return `${compactCount(count)} ${count === 1 ? one : many}`
}
