// When a certificate is renewed, and when somebody has to be told: pure.

export const DAY_MS = 86_400_000
const TICK_MAX_MS = 30_000
const TICK_MIN_MS = 200
/** Looks at the clock in one life, at least; lives of an hour and more come to TICK_MAX_MS. */
const TICKS_PER_LIFE = 120
const RETRY_FIRST_MS = 60_000
const RETRY_LIMIT_MS = 3_600_000
/** An alarm is raised with this many days left, of a life of 90; shorter lives have them in proportion. */
const ALARM_DAYS = [30, 14, 7, 1] as const
const ALARM_LIFE_DAYS = 90
/** A due renewal has this part of the life to happen before it is overdue. */
const SLACK = 1 / 20

export interface Life {
  readonly fromMs: number
  readonly toMs: number
}

function lengthOf(life: Life): number {
  return Math.max(1, life.toMs - life.fromMs)
}

/** Two thirds of the life, less a random part of up to a twentieth, so that those who were issued together do not all come at once. @param random from 0 to 1, chosen once for each certificate */
export function renewAtMs(life: Life, random: number): number {
  return life.fromMs + lengthOf(life) * (2 / 3 - random * SLACK)
}

/** How often to look at the wall clock. A timer over the whole time would sleep with the machine, and know nothing of a clock that is set. */
export function tickMs(life: Life): number {
  return Math.min(TICK_MAX_MS, Math.max(TICK_MIN_MS, lengthOf(life) / TICKS_PER_LIFE))
}

/** Pause after so many failures in a row: 1 min, doubling to 1 h, less a random fifth, never longer than a twentieth of the life. */
export function retryAfterMs(failures: number, life: Life, random: number): number {
  const doubled = Math.min(RETRY_LIMIT_MS, RETRY_FIRST_MS * 2 ** Math.min(20, Math.max(0, failures - 1)))
  return Math.min(doubled, lengthOf(life) * SLACK) * (1 - random / 5)
}

/** Time over which those with a connection to move go one by one: a minute, or a twentieth of a short life. */
export function spreadMs(life: Life, limitMs = 50_000): number {
  return Math.min(limitMs, lengthOf(life) * SLACK)
}

/** How loud: 0 nothing; 1 notice to 4, a day or less is left; 5 it is over. With `overdue` a renewal was due and has not happened. */
export interface ExpiryAlarm {
  readonly level: 0 | 1 | 2 | 3 | 4 | 5
  readonly overdue: boolean
}

/**
 * @param renews whether it is renewed by itself: then the first level is a renewal that is overdue, and nobody is told of a certificate that is merely young or old
 */
export function expiryAlarm(life: Life, renews: boolean, nowMs: number): ExpiryAlarm {
  const leftMs = life.toMs - nowMs
  const overdue = renews && nowMs > life.fromMs + lengthOf(life) * (2 / 3 + SLACK)
  if (leftMs < 0) return { level: 5, overdue }
  const reached = ALARM_DAYS.filter((days) => leftMs < Math.min(days * DAY_MS, (lengthOf(life) * days) / ALARM_LIFE_DAYS)).length
  // The first of the days is about when a renewal is due; what it says, `overdue` says better.
  const level = (renews ? (overdue ? Math.max(1, reached) : 0) : reached) as ExpiryAlarm['level']
  return { level, overdue }
}
