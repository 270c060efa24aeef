/** The world's time, passed in so that tests can jump it. Intervals use the monotonic clock alone. */
export interface Clock {
  /** Wall clock, microseconds since 1970 UTC (an integer below 2^53). */
  wallUs(): number
  /** Milliseconds from an arbitrary start; never goes back. */
  monotonicMs(): number
}

// performance.timeOrigin + now() drifts from the wall clock after a step, so the wall clock is read each time;
// the sub-millisecond part comes from the monotonic clock and is re-anchored whenever the millisecond moves on.
let anchorWallMs = 0
let anchorMonotonicMs = 0

function wallUs(): number {
  const wallMs = Date.now()
  const monotonicMs = performance.now()
  if (wallMs !== anchorWallMs) {
    const expectedMs = anchorWallMs + (monotonicMs - anchorMonotonicMs)
    // Keep the finer reading while both clocks agree within a millisecond; otherwise the wall clock was set.
    if (Math.abs(expectedMs - wallMs) >= 1) {
      anchorWallMs = wallMs
      anchorMonotonicMs = monotonicMs
      return wallMs * 1000
    }
    return Math.round(expectedMs * 1000)
  }
  return Math.round((anchorWallMs + Math.min(monotonicMs - anchorMonotonicMs, 0.999)) * 1000)
}

export const systemClock: Clock = { wallUs, monotonicMs: () => performance.now() }
