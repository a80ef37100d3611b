// Loads the library named first from a memory file, as the agent does, and opens and loads the BPF object named second. Prints one line for each step.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int main(int count, char **arguments) {
	if (count != 3) return 2;
	int file = open(arguments[1], O_RDONLY | O_CLOEXEC);
	struct stat status;
	if (file < 0 || fstat(file, &status) != 0) return 3;
	int memory = memfd_create("libbpf.so.1", MFD_CLOEXEC);
	void *content = mmap(NULL, status.st_size, PROT_READ, MAP_PRIVATE, file, 0);
	if (memory < 0 || content == MAP_FAILED || write(memory, content, status.st_size) != status.st_size) return 4;
	char path[64];
	snprintf(path, sizeof path, "/proc/self/fd/%d", memory);
	void *library = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
	if (library == NULL) {
		printf("dlopen: %s\n", dlerror());
		return 5;
	}
	const char *(*version)(void) = dlsym(library, "libbpf_version_string");
	void *(*open_file)(const char *, void *) = dlsym(library, "bpf_object__open_file");
	int (*load)(void *) = dlsym(library, "bpf_object__load");
	printf("version %s\n", version());
	printf("same %d\n", dlopen(path, RTLD_NOW) == library);
	void *object = open_file(arguments[2], NULL);
	printf("opened %d\n", object != NULL);
	printf("load %d\n", object == NULL ? -1 : load(object));
	return 0;
}
