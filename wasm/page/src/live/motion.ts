// Places to send without a pointer: a curve that the page draws, and how a phone is moved.

type Move = (x: number, y: number) => void;

/** Milliseconds from one point of the curve to the next. */
const PACE = 20;
/** Metres per second and second that are the edge of the pad. */
const STRONG = 12;

/** A curve without end; what is returned stops it. */
export function curve(move: Move): () => void {
  const begin = performance.now();
  const timer = setInterval(() => {
    const t = (performance.now() - begin) / 1_000;
    move(0.5 + 0.46 * Math.sin(t * 0.9), 0.5 + 0.4 * Math.sin(t * 2.3 + 0.7));
  }, PACE);
  return () => clearInterval(timer);
}

interface Asking {
  requestPermission?: () => Promise<'granted' | 'denied'>;
}

export const hasMotion = (): boolean => 'DeviceMotionEvent' in window && matchMedia('(pointer: coarse)').matches;

/** Sends how the device is moved; throws if the reader does not allow it. */
export async function motion(move: Move): Promise<() => void> {
  const asking = DeviceMotionEvent as unknown as Asking;
  if (asking.requestPermission && (await asking.requestPermission()) !== 'granted') {
    throw new Error('motion was not allowed');
  }
  const heard = (event: DeviceMotionEvent) => {
    const { x, y } = event.accelerationIncludingGravity ?? {};
    const place = (value: number | null | undefined) => Math.min(Math.max(0.5 + (value ?? 0) / (2 * STRONG), 0), 0.999);
    move(place(x), place(y));
  };
  addEventListener('devicemotion', heard);
  return () => removeEventListener('devicemotion', heard);
}
