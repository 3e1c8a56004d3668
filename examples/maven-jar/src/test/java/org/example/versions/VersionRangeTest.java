package org.example.versions;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertThrows;

import java.util.List;
import java.util.stream.Collectors;
import org.junit.Test;

public class VersionRangeTest {
    private static final List<String> KNOWN = List.of(
            "0.0.3", "0.0.4", "0.2.3", "0.2.9", "0.3.0",
            "1.2.0-rc.1", "1.2.0", "1.2.9", "1.9.0", "1.10.0", "2.0.0-beta", "2.0.0");

    private static String within(String range) {
        return Main.select(KNOWN, VersionRange.parse(range)).stream()
                .map(Version::toString)
                .collect(Collectors.joining(" "));
    }

    @Test
    public void aCaretStopsAtTheNextBreakingChange() {
        assertEquals("1.2.0 1.2.9 1.9.0 1.10.0", within("^1.2"));
        assertEquals("0.2.3 0.2.9", within("^0.2.3"));
        assertEquals("0.0.3", within("^0.0.3"));
    }

    @Test
    public void aTildeTakesPatchesOnly() {
        assertEquals("1.2.0 1.2.9", within("~1.2"));
    }

    @Test
    public void aPreReleaseMustBeAskedForByName() {
        assertEquals("1.2.0-rc.1 1.2.0 1.2.9", within("~1.2.0-rc.1"));
    }

    @Test
    public void aPlainVersionIsItself() {
        assertEquals("1.9.0", within("1.9.0"));
    }

    @Test
    public void anEmptyRangeIsRefused() {
        assertThrows(IllegalArgumentException.class, () -> VersionRange.parse(""));
    }
}
