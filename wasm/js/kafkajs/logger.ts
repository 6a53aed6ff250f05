// KafkaJS's logger: levels, namespaces, and a function that writes.

import { logLevel, type LogEntry, type Logger, type logCreator } from './types.js';

type Label = 'INFO' | 'ERROR' | 'WARN' | 'DEBUG';

/** One line of JSON, as KafkaJS writes it. */
const toConsole: logCreator = () => ({ namespace, level, label, log }: LogEntry) => {
  const prefix = namespace === '' ? '' : `[${namespace}] `;
  const line = JSON.stringify({ level: label, ...log, message: `${prefix}${log.message}` });
  if (level === logLevel.ERROR) console.error(line);
  else if (level === logLevel.WARN) console.warn(line);
  else if (level === logLevel.INFO) console.info(line);
  else console.log(line);
};

export function makeLogger(level: logLevel = logLevel.INFO, creator: logCreator = toConsole): Logger {
  let current = level;
  const write = creator(level);
  const make = (namespace: string, own: logLevel | undefined): Logger => {
    const log =
      (label: Label) =>
      (message: string, extra: object = {}): void => {
        if (logLevel[label] > (own ?? current)) return;
        write({ namespace, level: logLevel[label], label, log: { timestamp: new Date().toISOString(), logger: 'kafkajs', message, ...extra } });
      };
    return {
      info: log('INFO'),
      error: log('ERROR'),
      warn: log('WARN'),
      debug: log('DEBUG'),
      namespace: make,
      setLogLevel: (next) => {
        current = next;
      },
    };
  };
  return make('', undefined);
}
