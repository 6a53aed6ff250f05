// Connections where there is no TCP.

import { KlammError } from '../errors.js';
import { overStreams, type Dial } from '../link.js';
import type { AnyOptions } from '../types.js';
import type { OnTicket } from '../tickets.js';
import { overWebSocket } from '../websocket.js';

export function dial(options: AnyOptions, told: OnTicket): Dial {
  const { bridge, transport, tls, sasl } = options;
  if (sasl !== undefined || tls !== undefined) {
    throw new KlammError('UNSUPPORTED', 'tls and sasl: here the bridge has the password; give it a token');
  }
  if (bridge !== undefined) return overWebSocket(options, told);
  if (transport !== undefined) return overStreams(transport);
  throw new KlammError('UNSUPPORTED', 'brokers: there is no TCP here; use bridge, or bring a transport');
}
