/*
 * What reading a journal costs in C, for comparison: journal-read copy|json DIRECTORY
 * copy: every field of every entry is copied. json: every entry is formatted as an object with one member a field. Prints entries and bytes.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-journal.h>

static char out[1 << 22];

static char *put(char *at, const char *text, size_t length)
{
	memcpy(at, text, length);
	return at + length;
}

/* Runs between what needs an escape are copied whole. */
static char *escape(char *at, const unsigned char *text, size_t length)
{
	static const char digits[] = "0123456789abcdef";
	size_t run = 0;
	for (size_t i = 0; i < length; i++) {
		unsigned char byte = text[i];
		if (byte >= 0x20 && byte != '"' && byte != '\\') continue;
		at = put(at, (const char *)text + run, i - run);
		run = i + 1;
		*at++ = '\\';
		if (byte >= 0x20) *at++ = (char)byte;
		else if (byte == '\n') *at++ = 'n';
		else if (byte == '\t') *at++ = 't';
		else {
			at = put(at, "u00", 3);
			*at++ = digits[byte >> 4];
			*at++ = digits[byte & 15];
		}
	}
	return put(at, (const char *)text + run, length - run);
}

static char *field(char *at, const char *data, size_t length)
{
	const char *equals = memchr(data, '=', length);
	if (equals == NULL) return at;
	*at++ = ',';
	*at++ = '"';
	at = put(at, data, (size_t)(equals - data));
	at = put(at, "\":\"", 3);
	at = escape(at, (const unsigned char *)equals + 1, length - (size_t)(equals - data) - 1);
	*at++ = '"';
	return at;
}

static char *head(char *at, sd_journal *journal)
{
	char *cursor;
	uint64_t realtime, monotonic;
	sd_id128_t boot;
	if (sd_journal_get_cursor(journal, &cursor) < 0) exit(3);
	sd_journal_get_realtime_usec(journal, &realtime);
	sd_journal_get_monotonic_usec(journal, &monotonic, &boot);
	at += sprintf(at, "{\"__CURSOR\":\"%s\",\"__REALTIME_TIMESTAMP\":\"%" PRIu64 "\",\"__MONOTONIC_TIMESTAMP\":\"%" PRIu64 "\"", cursor, realtime, monotonic);
	free(cursor);
	return at;
}

int main(int argc, char **argv)
{
	if (argc != 3) return 2;
	int json = strcmp(argv[1], "json") == 0;
	sd_journal *journal;
	if (sd_journal_open_directory(&journal, argv[2], 0) < 0) return 1;
	sd_journal_set_data_threshold(journal, 0);
	uint64_t entries = 0, bytes = 0;
	while (sd_journal_next(journal) > 0) {
		const void *data;
		size_t length;
		char *at = json ? head(out, journal) : out;
		while (sd_journal_enumerate_available_data(journal, &data, &length) > 0) {
			if ((size_t)(out + sizeof out - at) < 6 * length + 16) return 4;
			at = json ? field(at, data, length) : put(at, data, length);
		}
		if (json) *at++ = '}';
		entries++;
		bytes += (uint64_t)(at - out);
	}
	printf("%" PRIu64 " %" PRIu64 "\n", entries, bytes);
	sd_journal_close(journal);
	return 0;
}
