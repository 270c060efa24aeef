// The only file that imports pino.

import { type DestinationStream, type Logger, pino } from 'pino'
import { printable } from './printable.ts'

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]
export type LogFormat = 'text' | 'json'
/** None may have the name of a part of the line itself: it would take its place. */
type ReservedFields = { readonly [name in 'level' | 'time' | 'event' | 'msg']?: never }
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>> & ReservedFields

export interface LogEvent {
  readonly level: LogLevel
  /** Stable name of the event, for scripts; see docs. */
  readonly event: string
  /** One sentence for a person. */
  readonly text: string
  readonly fields: LogFields
}

/** The process's own events: to stderr, and to whoever listens (the agent's source `internal`). */
export interface Log {
  debug(event: string, text: string, fields?: LogFields): void
  info(event: string, text: string, fields?: LogFields): void
  warn(event: string, text: string, fields?: LogFields): void
  error(event: string, text: string, fields?: LogFields): void
  /** Called for each event at or above the level; must not throw and must not log. */
  onEvent(listener: (event: LogEvent) => void): void
  /** From now on what is less severe is not logged. */
  setLevel(level: LogLevel): void
}

const TEXT_LIMIT = 4000
const PINO_LEVELS: Readonly<Record<string, LogLevel>> = { 20: 'debug', 30: 'info', 40: 'warn', 50: 'error' }

/** `time level event: text key=value ...`, values quoted where they hold a space or a quote. */
export function formatEvent(time: string, event: LogEvent): string {
  let line = `${time} ${event.level} ${event.event}: ${printable(event.text, TEXT_LIMIT)}`
  for (const [key, value] of Object.entries(event.fields)) {
    if (value === undefined) continue
    const text = printable(String(value), TEXT_LIMIT)
    line += ` ${key}=${/[\s"=]/.test(text) || text === '' ? JSON.stringify(text) : text}`
  }
  return line
}

function textStream(write: (line: string) => void): DestinationStream {
  return {
    write(json: string) {
      const { level, time, event, msg, ...fields } = JSON.parse(json) as { level: number; time: string; event: string; msg: string }
      write(`${formatEvent(time, { level: PINO_LEVELS[level] ?? 'info', event, text: msg, fields: fields as LogFields })}\n`)
    },
  }
}

/** @param write where finished lines go; process.stderr for a daemon */
export function createLog(level: LogLevel, format: LogFormat, write: (line: string) => void): Log {
  const stream = format === 'json' ? { write } : textStream(write)
  const logger: Logger = pino({ level, base: null, timestamp: () => `,"time":"${new Date().toISOString()}"` }, stream)
  const listeners: Array<(event: LogEvent) => void> = []
  const emit = (at: LogLevel, event: string, text: string, fields: LogFields = {}): void => {
    if (!logger.isLevelEnabled(at)) return
    logger[at]({ event, ...fields }, text)
    for (const listener of listeners) listener({ level: at, event, text, fields })
  }
  return {
    debug: (event, text, fields) => emit('debug', event, text, fields),
    info: (event, text, fields) => emit('info', event, text, fields),
    warn: (event, text, fields) => emit('warn', event, text, fields),
    error: (event, text, fields) => emit('error', event, text, fields),
    onEvent: (listener) => listeners.push(listener),
    setLevel: (level) => {
      logger.level = level
    },
  }
}
