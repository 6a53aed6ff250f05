// The two modes as tabs; each starts when it is first looked at.

import { Live } from './live/page.ts';
import { Playground } from './playground/page.ts';
import { theme } from './theme.ts';

interface Mode {
  /** Is it to be seen now? */
  show(isShown: boolean): void;
  restyle(): void;
}

const MODES = ['playground', 'live'] as const;
type Name = (typeof MODES)[number];

const started = new Map<Name, Mode>();

function start(name: Name, host: HTMLElement): Mode {
  return name === 'playground' ? new Playground(host) : new Live(host);
}

function select(name: Name): void {
  for (const each of MODES) {
    const isShown = each === name;
    const panel = byId(each);
    const tab = byId(`tab-${each}`);
    panel.hidden = !isShown;
    tab.setAttribute('aria-selected', String(isShown));
    tab.tabIndex = isShown ? 0 : -1;
    if (isShown && !started.has(each)) started.set(each, start(each, panel));
    started.get(each)?.show(isShown);
  }
}

function byId(id: string): HTMLElement {
  const element = document.getElementById(id);
  if (!element) throw new Error(`the page has no #${id}`);
  return element;
}

const fromAddress = (): Name => (location.hash === '#live' ? 'live' : 'playground');

for (const name of MODES) {
  const tab = byId(`tab-${name}`);
  tab.addEventListener('click', () => (location.hash = name));
  tab.addEventListener('keydown', (event) => {
    if (event.key !== 'ArrowLeft' && event.key !== 'ArrowRight') return;
    const other = name === 'live' ? 'playground' : 'live';
    location.hash = other;
    byId(`tab-${other}`).focus();
  });
}
addEventListener('hashchange', () => select(fromAddress()));
theme(byId('theme') as HTMLButtonElement, () => started.forEach((mode) => mode.restyle()));
select(fromAddress());
