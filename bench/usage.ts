import * as fs from 'node:fs'

/** What a process has used since it started, as the kernel accounts it. */
export interface Usage {
  readonly userSeconds: number
  readonly systemSeconds: number
  readonly peakMegabytes: number
}

const TICKS_PER_SECOND = 100

export function usageOf(pid: number): Usage {
  const stat = fs.readFileSync(`/proc/${pid}/stat`, 'latin1')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const peak = /^VmHWM:\s+(\d+) kB/m.exec(fs.readFileSync(`/proc/${pid}/status`, 'latin1'))
  return {
    userSeconds: Number(fields[11]) / TICKS_PER_SECOND,
    systemSeconds: Number(fields[12]) / TICKS_PER_SECOND,
    peakMegabytes: Math.round(Number(peak?.[1] ?? 0) / 1024),
  }
}

/** What it holds in memory now. */
export function residentMegabytes(pid: number): number {
  const now = /^VmRSS:\s+(\d+) kB/m.exec(fs.readFileSync(`/proc/${pid}/status`, 'latin1'))
  return Math.round(Number(now![1]) / 1024)
}
