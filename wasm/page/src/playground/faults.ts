// What can be broken: brokers and the network to them, and the next request of a partition.

import { button, h, setText } from '../dom.ts';
import type { Frame } from './engine.ts';

/** Names as `control.rs` has them. */
const FAULTS: [string, [string, string][]][] = [
  [
    'The connection',
    [
      ['drop-response', 'stored, and the answer is lost'],
      ['drop-request', 'the request is lost'],
      ['close-after', 'stored, then the connection ends'],
      ['close-before', 'the connection ends first'],
      ['delay', 'the answer comes 1.5 s late'],
      ['garbage', 'the answer is garbage'],
    ],
  ],
  [
    'The broker answers',
    [
      ['error 6', '6: not the leader'],
      ['error 19', '19: not enough replicas in sync'],
      ['stored-error 7', '7: timed out, and stored all the same'],
      ['stored-error 20', '20: too few replicas, and stored'],
      ['error 10', '10: too large (the batch is split)'],
      ['error 87', '87: invalid record (final)'],
      ['throttle', 'be silent for 1.5 s'],
    ],
  ],
  ['The disk', [['lose-tail', 'the leader loses its last batch']]],
];

type Fault = (name: string, target: number) => void;

/** A broker and its two switches. */
class NodeCard {
  readonly element: HTMLElement;
  readonly #power: HTMLButtonElement;
  readonly #network: HTMLButtonElement;
  readonly #state = h('p', { class: 'state' });
  #node: Frame['nodes'][number];

  constructor(node: Frame['nodes'][number], fault: Fault) {
    this.#node = node;
    const { id } = node;
    this.#power = button('', () => fault(this.#node.up ? 'kill' : 'start', id), { class: 'small', id: `power-${id}` });
    this.#network = button('', () => fault(this.#node.cut ? 'mend' : 'cut', id), { class: 'small', id: `network-${id}` });
    const buttons = h('div', { class: 'buttons' }, this.#power, this.#network);
    this.element = h('li', { class: 'node' }, h('h4', {}, `Node ${id}`), this.#state, buttons);
  }

  draw(node: Frame['nodes'][number]): void {
    this.#node = node;
    const state = !node.up ? 'down' : node.cut ? 'cut off' : node.connected ? 'connected' : 'up';
    this.element.dataset['state'] = state;
    setText(this.#state, state);
    this.#label(this.#power, node.up ? 'Kill' : 'Start', `node ${node.id}`);
    this.#label(this.#network, node.cut ? 'Mend network' : 'Cut network', `to node ${node.id}`);
  }

  #label(button: HTMLButtonElement, text: string, object: string): void {
    setText(button, text);
    button.setAttribute('aria-label', `${text} ${object}`);
  }
}

export class Faults {
  readonly element: HTMLElement;
  readonly #nodes = h('ul', { class: 'nodes', 'aria-label': 'Brokers' });
  readonly #cards = new Map<number, NodeCard>();
  readonly #kind = h('select', { id: 'fault' });
  readonly #partition = h('select', { id: 'fault-partition' });

  constructor(
    readonly fault: Fault,
    heal: () => void,
  ) {
    for (const [group, faults] of FAULTS) {
      const options = faults.map(([name, what]) => h('option', { value: name }, what));
      this.#kind.append(h('optgroup', { label: group }, ...options));
    }
    for (const partition of [0, 1, 2]) this.#partition.append(h('option', { value: partition }, String(partition)));
    const inject = () => fault(this.#kind.value, Number(this.#partition.value));
    this.element = h(
      'div',
      { class: 'faults' },
      h('div', { class: 'head' }, h('h2', {}, 'Break something'), button('End all faults', heal, { class: 'small', id: 'heal' })),
      this.#nodes,
      h(
        'div',
        { class: 'inject', role: 'group', 'aria-label': 'The next request' },
        h('label', { for: 'fault' }, 'Next request'),
        this.#kind,
        h('label', { for: 'fault-partition' }, 'to partition'),
        this.#partition,
        button('Inject', inject, { id: 'inject' }),
      ),
    );
  }

  draw(frame: Frame): void {
    for (const node of frame.nodes) {
      let card = this.#cards.get(node.id);
      if (!card) {
        card = new NodeCard(node, this.fault);
        this.#cards.set(node.id, card);
        this.#nodes.append(card.element);
      }
      card.draw(node);
    }
  }
}
