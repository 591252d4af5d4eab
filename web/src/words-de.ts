import { compactCount } from './shell/count'
import type { Words } from './words'

/** The texts in German. What the server says, such as reasons and refusals, stays in English. */
export const german: Words = {
  app: 'photofeed',
  skip: 'Zum Inhalt springen',
  loading: 'Wird geladen …',
  retry: 'Noch einmal versuchen',
  reload: 'Neu laden',
  undo: 'Rückgängig',
  cancel: 'Abbrechen',
  close: 'Schließen',
  dismiss: 'Ausblenden',

  counts: {
    posts: (count) => counted(count, 'Beitrag', 'Beiträge'),
    followers: (count) => `${compactCount(count)} Follower`,
    following: (count) => `${compactCount(count)} gefolgt`,
  },

  ages: {
    now: 'jetzt',
    minutes: (count) => `${count} Min.`,
    hours: (count) => `${count} Std.`,
    days: (count) => (count === 1 ? '1 Tag' : `${count} Tage`),
  },

  nav: {
    label: 'Hauptmenü',
    home: 'Start',
    explore: 'Entdecken',
    upload: 'Neues Foto',
    activity: 'Aktivität',
    unread: (count) => counted(count, 'ungelesene Meldung', 'ungelesene Meldungen'),
    profile: 'Profil',
    newRequests: 'neue Anfragen',
    settings: 'Einstellungen',
  },

  signIn: {
    title: 'Anmelden',
    choose: 'Konto auswählen',
    chooseHint: 'Jeder Feed ist für eine Person sortiert. Wähle ein Demokonto; du kannst jederzeit wechseln.',
    search: 'Personen nach Namen suchen',
    random: 'Zufälliges Konto',
    noMatch: 'Kein passendes Konto.',
    tokenHint: 'Dieser Server hat keinen Anmeldedienst. Füge ein Zugangstoken ein.',
    token: 'Zugangstoken',
    submit: 'Weiter',
    ended: 'Deine Sitzung ist abgelaufen. Melde dich an, um dort weiterzumachen, wo du warst.',
    provider: 'Mit deinem Konto anmelden',
    problems: {
      refused: 'Du hast die Anmeldung abgebrochen.',
      expired:
        'Die Anmeldung dauerte zu lange oder begann in einem anderen Browser. Bitte versuche es erneut.',
      failed: 'Die Anmeldung ist fehlgeschlagen. Bitte versuche es erneut.',
      unavailable: 'Der Anmeldedienst antwortet nicht. Bitte versuche es gleich noch einmal.',
      no_account: 'Du hast hier kein Konto. Bitte die Verwaltung darum.',
      no_provider: 'Dieser Server hat keinen Anmeldedienst.',
      deleted: 'Dieses Konto wurde gelöscht.',
    },
  },

  feed: {
    title: 'Dein Feed',
    empty: 'Dein Feed ist leer. Folge jemandem, oder lade das erste Foto hoch.',
    explore: 'Fotos entdecken',
    allSeen: 'Du hast vorerst alles gesehen.',
    reload: 'Feed neu laden',
    newPosts: (count) => (count === 1 ? '1 neues Foto' : `${count} neue Fotos`),
  },

  explore: {
    title: 'Entdecken',
    search: 'Fotos oder @Name suchen',
    results: (query) => `Suche: ${query}`,
    people: 'Personen',
    nothing: (query) => `Nichts gefunden zu „${query}“.`,
    ended: 'Du hast vorerst alle Vorschläge gesehen.',
  },

  lists: {
    failed: 'Diese Liste konnte nicht geladen werden.',
    expired: 'Diese Liste ist abgelaufen.',
  },

  profile: {
    private: 'privat',
    followsYou: 'folgt dir',
    removeFollower: 'Follower entfernen',
    edit: 'Profil bearbeiten',
    remove: 'Entfernen',
    noneOfMine: 'Du hast noch keine Fotos veröffentlicht.',
    addFirst: 'Erstes Foto hochladen',
    hiddenPosts: (name) => `Dieses Konto ist privat. Folge ${name}, um die Fotos zu sehen.`,
    failed: 'Dieses Profil konnte nicht geladen werden.',
    none: (name) => `${name} hat noch keine Fotos veröffentlicht.`,
    unknown: (handle) => `Es gibt niemanden mit dem Namen @${handle}.`,
  },

  admin: {
    title: 'Moderation der Inhalte',
    queue: 'Offen',
    history: 'Entscheidungen',
    keys: 'Tasten: J und K bewegen, A gibt frei, R lehnt ab.',
    reason: 'Begründung (freiwillig)',
    reasons: { approve: 'Entspricht den Regeln.', reject: 'Verstößt gegen die Regeln.' },
    decided: { approve: 'Freigegeben.', reject: 'Abgelehnt.' },
    outcomes: { approved: 'freigegeben', review: 'einem Moderator überlassen', rejected: 'abgelehnt' },
    kinds: { photo: 'Foto', comment: 'Kommentar', person: 'Nutzer' },
    approve: 'Freigeben',
    reject: 'Ablehnen',
    moderator: 'ein Moderator',
    empty: 'Nichts wartet auf eine Entscheidung.',
    noHistory: 'Noch wurde nichts entschieden.',
  },

  activity: {
    title: 'Aktivität',
    none: 'Noch ist nichts passiert.',
    unread: 'ungelesen',
    like: (name) => `${name} gefällt dein Foto.`,
    likes: (name, others) =>
      `${name} und ${counted(others, 'weiteren Person', 'weiteren')} gefällt dein Foto.`,
    comment: (name) => `${name} hat dein Foto kommentiert.`,
    reply: (name) => `${name} hat auf deinen Kommentar geantwortet.`,
    mention: (name) => `${name} hat dich bei einem Foto erwähnt.`,
    mentionInComment: (name) => `${name} hat dich in einem Kommentar erwähnt.`,
    follow: (name) => `${name} folgt dir.`,
    follow_request: (name) => `${name} möchte dir folgen.`,
    follow_accepted: (name) => `${name} hat deine Anfrage angenommen.`,
    photo_approved: 'Dein Foto wurde geprüft und ist zu sehen.',
    photo_rejected: 'Dein Foto verstößt gegen die Regeln und ist nicht zu sehen.',
    reportRight: 'Du hast etwas gemeldet. Es verstieß gegen die Regeln.',
    reportDismissed: 'Du hast etwas gemeldet. Es verstößt nicht gegen die Regeln.',
  },

  requests: {
    title: 'Follower-Anfragen',
    tab: (count) => (count > 0 ? `Anfragen (${count})` : 'Anfragen'),
    none: 'Niemand wartet auf deine Antwort.',
    accept: 'Annehmen',
    decline: 'Ablehnen',
  },

  ownLists: {
    label: 'Deine Listen',
    photos: 'Fotos',
    saved: 'Gemerkt',
    liked: 'Gefällt mir',
    hints: {
      saved: 'Nur du siehst, was du dir gemerkt hast.',
      liked: 'Fotos, die dir gefallen, das letzte zuerst.',
    },
    empty: { saved: 'Du hast dir noch keine Fotos gemerkt.', liked: 'Dir hat noch kein Foto gefallen.' },
  },

  connections: {
    followers: (name) => `Follower von ${name}`,
    following: (name) => `${name} folgt`,
    none: 'Noch niemand.',
  },

  likes: {
    title: 'Wem das gefällt',
    none: 'Noch niemandem.',
    back: 'Zurück zum Foto',
  },

  follow: {
    no: 'Folgen',
    requested: 'Angefragt',
    yes: 'Gefolgt',
  },

  post: {
    by: (name) => `Foto von ${name}`,
    untitled: 'ohne Titel',
    reel: 'Reel',
    alt: (text, name) => `${text}, Foto von ${name}`,
    gone: 'Dieses Foto gibt es nicht mehr, oder du darfst es nicht sehen.',
    lost: 'Dieses Foto konnte nicht geladen werden.',
    notLoaded: 'Dieser Beitrag konnte nicht geladen werden.',
    one: 'Foto',
    previous: 'Voriges Foto',
    next: 'Nächstes Foto',
    more: 'mehr',
    linkCopied: 'Link kopiert',
  },

  actions: {
    like: 'Gefällt mir',
    comments: 'Kommentare',
    share: 'Teilen',
    save: 'Merken',
  },

  comments: {
    title: 'Kommentare',
    older: 'Frühere Kommentare zeigen',
    add: 'Kommentar schreiben',
    send: 'Senden',
    answer: 'Antworten',
    answerTo: (name) => `Antwort an ${name}:`,
    edited: 'bearbeitet',
    menu: (name) => `Weitere Aktionen für den Kommentar von ${name}`,
    delete: 'Löschen',
    deleteTitle: 'Diesen Kommentar löschen?',
    deleteText: 'Er wird für alle gelöscht. Das lässt sich nicht rückgängig machen.',
  },

  menu: {
    label: 'Weitere Aktionen',
    why: 'Warum sehe ich das?',
    hide: 'Dieses Foto ausblenden',
    mute: (name) => `${name} stummschalten`,
    block: (name) => `${name} blockieren`,
    copyLink: 'Link kopieren',
    edit: 'Bearbeiten',
    delete: 'Löschen',
    deleted: 'Dein Foto ist gelöscht.',
    report: 'Melden',
  },

  report: {
    titles: {
      photo: 'Dieses Foto melden',
      comment: 'Diesen Kommentar melden',
      person: 'Diese Person melden',
    },
    hint: 'Ein Moderator sieht es sich an. Niemand erfährt, wer es gemeldet hat.',
    reason: 'Was stimmt nicht?',
    reasons: {
      spam: 'Werbung oder Betrug',
      nudity: 'Nacktheit oder sexuelle Handlungen',
      violence: 'Gewalt oder Drohungen',
      hate: 'Hass auf eine Gruppe von Menschen',
      harassment: 'Mobbing oder Belästigung',
      self_harm: 'Jemand könnte sich etwas antun',
      child_safety: 'Ein Kind ist in Gefahr',
      illegal: 'Illegale Waren oder eine andere Straftat',
      impersonation: 'Gibt sich als jemand anderes aus',
      copyright: 'Das Werk eines anderen',
      false_information: 'Unwahr und schädlich',
      other: 'Etwas anderes',
    },
    text: 'Mehr dazu (freiwillig)',
    send: 'Melden',
    reported: 'Danke. Ein Moderator sieht es sich an.',
  },

  edit: {
    title: 'Beitrag bearbeiten',
  },

  hidden: {
    text: (name, topic) =>
      `Ausgeblendet. Du siehst weniger von ${topic ? `${name}, #${topic}` : name} und ähnlichen Fotos.`,
  },

  person: {
    menu: (name) => `Weitere Aktionen für ${name}`,
    muted: (name) => `${name} ist stummgeschaltet und kommt in deinem Feed nicht mehr vor.`,
    unmuted: (name) => `${name} ist nicht mehr stummgeschaltet.`,
    unmute: (name) => `${name} nicht mehr stummschalten`,
    unblock: (name) => `${name} nicht mehr blockieren`,
    block: 'Blockieren',
    blockTitle: (name) => `${name} blockieren?`,
    blockText: 'Ihr seht einander nicht mehr und folgt einander nicht mehr. Die Person erfährt es nicht.',
    blocked: (name) => `${name} ist blockiert.`,
    unblocked: (name) => `${name} ist nicht mehr blockiert.`,
  },

  why: {
    sources: { following: null, celebrity: 'Beliebt', explore: 'Vorschlag' },
    explanations: {
      following: (name) =>
        `Du folgst ${name}. Fotos von Personen, denen du folgst, sind danach sortiert, wie wahrscheinlich du auf sie reagierst.`,
      celebrity: (name) =>
        `Du folgst ${name}; dieses Konto hat viele Follower. Nur seine neuesten Fotos kommen in Frage.`,
      explore: (name) =>
        `Du folgst ${name} nicht. Etwa eines von zehn Fotos stammt von anderen Personen, damit du Neues findest.`,
    },
    facts: {
      source: 'Quelle',
      position: 'Position',
      score: 'Punktzahl',
      ranker: 'Sortiert von',
      engine: 'Rechenkern',
    },
  },

  slate: {
    byModel: (model) => `Sortiert von ${model}`,
    byPopularity: 'Beliebteste zuerst: kein Modell ist verfügbar',
    byTime: 'Neueste zuerst: kein Modell ist verfügbar',
    suggested: (percent) => `${percent} % Vorschläge`,
  },

  upload: {
    choose: 'Fotos auswählen',
    chooseMore: 'Weitere Fotos hinzufügen',
    camera: 'Foto aufnehmen',
    drop: 'oder irgendwo auf dieser Seite ablegen oder einfügen',
    dropHere: 'Fotos hier ablegen',
    formats: 'JPEG, PNG, WebP, AVIF, HEIC oder GIF, je höchstens 50 MB. Jedes Foto wird ein Beitrag.',
    wrongType: (name) => `„${name}“ ist kein Foto in einem unterstützten Format.`,
    tooLarge: (name) => `„${name}“ ist größer als 50 MB.`,
    emptyFile: (name) => `„${name}“ ist leer.`,
    caption: 'Bildunterschrift',
    altText: 'Beschreibung für Menschen, die das Foto nicht sehen',
    tags: 'Schlagwörter',
    tagsExample: 'berge, morgen',
    remove: 'Entfernen',
    share: (count) => (count === 1 ? 'Veröffentlichen' : `${count} Fotos veröffentlichen`),
    waiting: 'Wartet auf die anderen Fotos',
    sending: 'Wird hochgeladen',
    percent: (fraction) => `${Math.round(fraction * 100)} %`,
    processing: 'Wird verarbeitet',
    processingHint: 'Kleinere Größen und eine Vorschau entstehen. Du kannst diese Seite verlassen.',
    progress: (name) => `Fortschritt von ${name}`,
    published: 'Veröffentlicht',
    publishedHint: 'Deine Follower können es jetzt sehen.',
    inReview: 'Wird geprüft',
    inReviewHint: 'Ein Moderator sieht es sich an, bevor es erscheint.',
    rejected: 'Dieses Foto darf nicht gezeigt werden',
    rejectedHint: 'Es verstößt gegen die Regeln dieser Seite.',
    failed: 'Das Hochladen ist fehlgeschlagen',
    failedHint: 'Das Foto konnte nicht verarbeitet werden.',
    open: 'Beitrag ansehen',
    preview: (name) => `Vorschau von ${name}`,
    noPreview: 'Dein Browser kann diese Datei nicht anzeigen. Nach dem Hochladen siehst du sie.',
    storeUnreachable:
      'Der Fotospeicher ist nicht erreichbar. Prüfe deine Verbindung und versuche es noch einmal.',
    expired: 'Das Hochladen hat zu lange gedauert. Versuche es noch einmal.',
    storeRefused: (status) =>
      `Der Fotospeicher hat das Foto abgelehnt (Status ${status}). Versuche es noch einmal.`,
    statusLost:
      'Die Verbindung ist abgebrochen. Dein Foto wird weiter verarbeitet: Sieh später in deinem Profil nach.',
  },

  settings: {
    developer: 'Für Entwickler',
    developerHint: 'Zeigen, wie jedes Foto eingeordnet wurde: Modell, Punktzahl und Position',
    title: 'Einstellungen',
    account: 'Konto',
    changePicture: 'Bild ändern',
    removePicture: 'Bild entfernen',
    name: 'Name',
    bio: 'Über dich',
    save: 'Speichern',
    saved: 'Dein Profil ist gespeichert.',
    people: 'Stummgeschaltete und blockierte Personen',
    muted: 'Stummgeschaltet',
    blocked: 'Blockiert',
    unmute: 'Nicht mehr stummschalten',
    unblock: 'Nicht mehr blockieren',
    nobody: 'Niemand.',
    language: 'Sprache',
    browserLanguage: 'Wie im Browser',
    privacy: 'Privatsphäre',
    private: 'Privates Konto',
    privateHint: 'Nur Follower, die du annimmst, sehen deine Fotos.',
    places: 'Orte behalten',
    placesHint:
      'Behalten, wo deine Fotos aufgenommen wurden; nur du siehst es. Das Abschalten löscht die bisherigen Orte.',
    notifications: 'Welche Meldungen du bekommst',
    notified: {
      like: '„Gefällt mir“ für deine Fotos',
      comment: 'Kommentare zu deinen Fotos',
      reply: 'Antworten auf deine Kommentare',
      mention: 'Erwähnungen deines Namens',
      follow: 'Neue Follower',
      follow_request: 'Anfragen, dir zu folgen',
      follow_accepted: 'Angenommene Anfragen',
      photo_approved: 'Freigegebene Fotos',
      photo_rejected: 'Abgelehnte Fotos',
      report_decided: 'Entscheidungen über deine Meldungen',
    },
    data: 'Deine Daten',
    exportHint: 'Die Kopie enthält Profil, Fotos, Kommentare, Likes und Follows, als ZIP-Datei.',
    export: 'Deine Daten herunterladen',
    deleteAccount: 'Konto löschen',
    deleteTitle: 'Konto löschen?',
    deleteText:
      'Dein Name und deine Fotos verschwinden sofort, und alles, was über dich gespeichert ist, wird gelöscht. Das kann nicht rückgängig gemacht werden.',
    typeHandle: (handle: string) => `Gib ${handle} ein, um es zu bestätigen`,
    deleteForever: 'Endgültig löschen',
    accountDeleted: 'Dein Konto ist gelöscht.',
    signOut: 'Abmelden',
    switch: 'Konto wechseln',
  },

  notFound: {
    title: 'Seite nicht gefunden',
    text: 'Unter dieser Adresse gibt es keine Seite.',
    home: 'Zu deinem Feed',
  },

  errors: {
    unreachable: 'photofeed ist nicht erreichbar. Prüfe deine Verbindung und versuche es noch einmal.',
    offline: 'Du bist offline. Das wird gesendet, sobald das Netz wieder da ist.',
    emptyStream: 'Der Server hat nicht geantwortet. Versuche es noch einmal.',
  },
}

function counted(count: number, one: string, many: string): string {
  return `${compactCount(count)} ${count === 1 ? one : many}`
}
