import { addAmounts, type Amount, announce, NOTHING, type Total } from './budget-account.ts'

/** A request that waits, or tries, for room under caps. */
export interface Place {
  readonly request: object
  /** The session that it is of. */
  readonly whose: object
  readonly need: Amount
  /** What it is counted in, of all that has a cap. */
  totals: readonly Total[]
  /** Where it would not fit even if nobody stood before it; null where it waits for its turn alone. */
  lacksRoomIn: Total | null
  hasWaited: boolean
}

/**
 * The requests that wait for room, in the order in which they get it: each session's first before any session's second,
 * and in between as they came. So no small request passes one that waits for more, and no session's many requests keep
 * another's waiting.
 */
export interface WaitingLine {
  /** The request's place, which it keeps until it leaves. */
  join(request: object, whose: object, need: Amount): Place
  /**
   * What those before it need of a total: as good as held. Not of those that lack room in what it is not counted in: they
   * could not go on anyway.
   */
  aheadIn(total: Total, place: Place): Amount
  /** Gives up the place, and lets those behind try. */
  leave(request: object): void
}

export const createWaitingLine = (): WaitingLine => {
  const places: Place[] = []

  /** Where a session's next request belongs that has so many before it. */
  const positionAfter = (own: number): number => {
    const turns = new Map<object, number>()
    const position = places.findIndex(({ whose }) => {
      const turn = turns.get(whose) ?? 0
      turns.set(whose, turn + 1)
      return turn > own
    })
    return position === -1 ? places.length : position
  }

  return {
    join(request, whose, need) {
      const known = places.find((place) => place.request === request)
      if (known !== undefined) return known
      const place: Place = { request, whose, need, totals: [], lacksRoomIn: null, hasWaited: false }
      places.splice(positionAfter(places.filter((other) => other.whose === whose).length), 0, place)
      return place
    },

    aheadIn(total, place) {
      let ahead = NOTHING
      for (const other of places) {
        if (other === place) break
        const isStuckElsewhere = other.lacksRoomIn !== null && !place.totals.includes(other.lacksRoomIn)
        if (other.totals.includes(total) && !isStuckElsewhere) ahead = addAmounts(ahead, other.need)
      }
      return ahead
    },

    leave(request) {
      const index = places.findIndex((place) => place.request === request)
      const [left] = index === -1 ? [] : places.splice(index, 1)
      if (left?.hasWaited === true) left.totals.forEach(announce)
    },
  }
}
