/** Ends this process when its standard input ends: whoever held the other end is gone. */
final class EndOfInput {
    private EndOfInput() { }

    static void halts() {
        Thread watch = new Thread(EndOfInput::halt, "end-of-input");
        watch.setDaemon(true);
        watch.start();
    }

    private static void halt() {
        try {
            while (System.in.read() >= 0) { }
        } catch (java.io.IOException gone) {
            // The same as the end.
        }
        Runtime.getRuntime().halt(0);
    }
}
