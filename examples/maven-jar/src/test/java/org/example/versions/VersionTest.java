package org.example.versions;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertNotEquals;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;

import java.util.List;
import org.junit.Test;

public class VersionTest {
    private static final List<String> ASCENDING = List.of(
            "0.9.0", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta",
            "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.9.0", "1.10.0", "2.0.0");

    @Test
    public void everyVersionComesBeforeTheNext() {
        for (int i = 0; i + 1 < ASCENDING.size(); i++) {
            Version older = Version.parse(ASCENDING.get(i));
            Version newer = Version.parse(ASCENDING.get(i + 1));
            assertTrue(older + " before " + newer, older.compareTo(newer) < 0);
            assertTrue(newer + " after " + older, newer.compareTo(older) > 0);
        }
    }

    @Test
    public void metadataDoesNotCount() {
        Version plain = Version.parse("1.2.3");
        Version stamped = Version.parse("1.2.3+20240101");
        assertEquals(plain, stamped);
        assertEquals(plain.hashCode(), stamped.hashCode());
        assertNotEquals(plain, Version.parse("1.2.3-rc.1"));
    }

    @Test
    public void theTextIsKept() {
        assertEquals("1.2.3-rc.1+build.5", Version.parse("1.2.3-rc.1+build.5").toString());
    }

    @Test
    public void whatIsNoVersionIsRefused() {
        for (String text : List.of("", "1", "1.2", "01.2.3", "1.2.3-", "1.2.3-01", "v1.2.3", "1.2.3 ")) {
            assertThrows(text, IllegalArgumentException.class, () -> Version.parse(text));
        }
    }
}
