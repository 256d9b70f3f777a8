# The demo's consumer. Included by the Makefile.

MEDIA_SCAN := $(BUILD)/examples/media_scan

.PHONY: media-scan
media-scan: $(MEDIA_SCAN)
	@:

$(MEDIA_SCAN): examples/media_scan/media_scan.cpp $(wildcard client/include/pgpubsub/*.hpp) | client
	@mkdir -p $(@D)
	$(call says,CXX,$<)$(CXX) -std=c++20 -O2 -g -Wall -Wextra $(if $(WERROR),-Werror) -Iclient/include -o $@ $< \
	    -L$(BUILD)/client -Wl,-rpath,'$$ORIGIN/../client' -lpgpubsub -lcrypto
