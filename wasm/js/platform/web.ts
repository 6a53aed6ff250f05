// Connections where there is no TCP.

import { KlammError } from '../errors.js';
import { overStreams, type Dial } from '../link.js';
import type { AnyOptions } from '../types.js';
import { overWebSocket } from '../websocket.js';

export function dial({ bridge, token, transport, tls, sasl }: AnyOptions): Dial {
  if (sasl !== undefined || tls !== undefined) {
    throw new KlammError('UNSUPPORTED', 'tls and sasl: here the bridge has the password; give it a token');
  }
  if (bridge !== undefined) return overWebSocket(bridge, token);
  if (transport !== undefined) return overStreams(transport);
  throw new KlammError('UNSUPPORTED', 'brokers: there is no TCP here; use bridge, or bring a transport');
}
